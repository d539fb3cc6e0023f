"""The hidden folder of a run that is not finished, and its journal.

Rows are only ever added to the spool. The journal tells how many bytes of it count, and
is replaced by one rename. Rows that a killed run wrote after that are cut off when
somebody goes on with the run, and their items are scored again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from bundle.disk import refusal
from bundle.staging import replace_file, replace_files, sync
from runtime.admin.errors import AdminError, WorkFailed
from runtime.scoring.files import text_of
from runtime.scoring.forms import Form, csv_line
from runtime.scoring.work import Written

_JOURNAL, _ROWS, _REJECTS, _MADE = "journal.json", "rows", "rejects", "made"
# The words of a refusal, by the key of the plan that changed.
_CHANGED = {
    "input": "the input has changed",
    "model": "another model or version scores",
    "settings": "--batch, --keep, --key or the ending of --out differ",
}


@dataclass
class State:
    """The part of a run that is done.

    Attributes:
        scored: the items that have rows.
        rejected: the other items.
        rows_bytes: the bytes of the rows in the spool, with the head.
        rejects_bytes: the bytes of the rejected items' lines.
        head: the head, in hexadecimal; empty before the first row.
        seconds: the time that it took.
        is_whole: whether all items are done, and only the names of the outputs are
            left.
    """

    scored: int = 0
    rejected: int = 0
    rows_bytes: int = 0
    rejects_bytes: int = 0
    head: str = ""
    seconds: float = 0.0
    is_whole: bool = False

    @property
    def done(self) -> int:
        """The items that need not be scored again."""
        return self.scored + self.rejected


class Spool:
    """The folder ``.NAME.part`` beside the output; one process holds it at a time.

    Args:
        out: the output.
        rejects: the file of the rejected items.
    """

    def __init__(self, out: Path, rejects: Path) -> None:
        self._out = out
        self._rejects = rejects
        self._folder = out.with_name(f".{out.name}.part")
        self.state = State()
        self._plan: dict[str, str] = {}
        self._files: dict[str, IO[bytes]] = {}
        # The number of items with which an ended run would be gone on with.
        self.kept = 0

    @contextmanager
    def opened(
        self, plan: Mapping[str, str], *, resume: bool, force: bool
    ) -> Iterator[None]:
        """Hold the folder during the block; begin the run, or go on with it.

        Args:
            plan: the input, the model and the settings, which may not change in the
                middle of a run.
            resume: go on with a run that was ended; begin if there is none.
            force: drop a run that was ended, and replace the outputs.

        Raises:
            AdminError: the outputs are there; or a run was ended, and neither
                ``resume`` nor ``force`` is given; or it is another run.
            WorkFailed: another process holds the folder, or the disk refuses it.
        """
        with ExitStack() as stack:
            with self._refusing():
                is_new = self._hold(stack, force=force)
                if not is_new and force:
                    for path in self._folder.iterdir():
                        path.unlink()
                elif not is_new:
                    if not resume:
                        raise AdminError(
                            f"{text_of(self._out)} was begun and not finished: go on"
                            " with --resume, or begin again with --force"
                        )
                    self._read(plan)
                self._plan = dict(plan)
                if not self.state.is_whole:
                    for name in (_ROWS, _REJECTS):
                        size = getattr(self.state, f"{name}_bytes")
                        stream = self._files[name] = _cut(self._folder / name, size)
                        stack.callback(_close, stream)
            yield

    def check_places(self) -> None:
        """Check that the outputs are two files in folders that are there.

        Raises:
            AdminError: they are not.
        """
        if self._out.resolve() == self._rejects.resolve():
            raise AdminError("--out and --rejects are the same file; name two")
        for path in (self._out, self._rejects):
            if path.is_dir():
                raise AdminError(f"{text_of(path)} is a folder; name a file")
            if path.exists() and not path.is_file():  # as root, it would be replaced
                raise AdminError(f"{text_of(path)} is a device or a pipe; name a file")
            if not path.parent.is_dir():
                raise AdminError(
                    f"{text_of(path)} cannot be written: there is no folder"
                    f" {text_of(path.parent)}"
                )

    def _check_free(self) -> None:
        for path in (self._out, self._rejects):
            if path.exists():
                raise AdminError(
                    f"{text_of(path)} is there already: give another name, or replace"
                    " it with --force"
                )

    def add(self, written: Written) -> None:
        """Add the outcome of the next chunk.

        Raises:
            AdminError: its rows have other columns than those before.
            WorkFailed: the disk refuses it.
        """
        state = self.state
        rows = written.rows
        if written.scored:
            head = written.head.hex()
            if not state.rows_bytes:
                state.head, rows = head, written.head + rows
            elif head != state.head:
                raise AdminError(
                    "the model gives items different numbers of scores, or scores of"
                    " different types"
                )
        lines = b"".join(map(csv_line, written.rejected))
        if lines and not state.rejects_bytes:
            lines = csv_line(("item", "reason")) + lines
        with self._refusing():
            self._files[_ROWS].write(rows)
            self._files[_REJECTS].write(lines)
        state.scored += written.scored
        state.rejected += len(written.rejected)
        state.rows_bytes += len(rows)
        state.rejects_bytes += len(lines)

    def commit(self) -> None:
        """Write all that was added through to the disk, and then the journal.

        Raises:
            WorkFailed: the disk refuses it.
        """
        with self._refusing():
            for stream in self._files.values():
                stream.flush()
                os.fsync(stream.fileno())
            content = {"plan": self._plan, "state": asdict(self.state)}
            replace_file(self._folder / _JOURNAL, json.dumps(content).encode())
        self.kept = self.state.done

    def finish(self, form: Form) -> None:
        """Give the outputs their names, each by one rename; remove the folder.

        There is no output if no item has scores, and no file of rejected items if there
        are none. A run that is killed meanwhile can be gone on with, too.

        Raises:
            WorkFailed: the disk refuses it.
        """
        self.state.is_whole = True
        self.commit()
        rows, rejects = self._folder / _ROWS, self._folder / _REJECTS
        with self._refusing():
            if self.state.rejected:
                # They may lie on another disk than the output.
                replace_files(self._rejects.parent, {self._rejects.name: rejects})
            else:
                self._rejects.unlink(missing_ok=True)
            # Without its rows, the output has its name already.
            if self.state.scored and rows.exists():
                made = form.finish(rows, self._folder / _MADE)
                sync(made)
                made.replace(self._out)
                sync(self._out.parent)
        self.drop()

    def keep(self) -> None:
        """Keep what is done of a run that fails, as far as the disk lets it."""
        if not self.state.done:
            self.drop()
        elif not self.state.is_whole:
            with suppress(WorkFailed):  # what was committed before counts then
                self.commit()

    def drop(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self.kept = 0

    def _hold(self, stack: ExitStack, *, force: bool) -> bool:
        """Lock the folder until the stack is left; tell whether a run begins in it."""
        self.check_places()
        self._folder.mkdir(exist_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as ex:
            raise WorkFailed(
                f"another process writes {text_of(self._out)} at the moment"
            ) from ex
        # A run that was killed before its first items were scored did not begin.
        is_new = not (self._folder / _JOURNAL).exists()
        if is_new and not force:
            try:
                self._check_free()
            except AdminError:
                self.drop()
                raise
        return is_new

    def _read(self, plan: Mapping[str, str]) -> None:
        """Read the journal of the run with which this one goes on."""
        try:
            content = json.loads((self._folder / _JOURNAL).read_bytes())
            state = State(**content["state"])
            refuse_changes(text_of(self._out), plan, content["plan"])
        except (ValueError, TypeError, KeyError, AttributeError) as ex:
            raise self._damaged() from ex
        if not state.is_whole:
            for name in (_ROWS, _REJECTS):
                path = self._folder / name
                if path.stat().st_size < getattr(state, f"{name}_bytes"):
                    raise self._damaged()
        self.state, self.kept = state, state.done

    def _damaged(self) -> AdminError:
        return AdminError(
            f"what is left of the ended run of {text_of(self._out)} is damaged: begin"
            " again with --force"
        )

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as ex:
            why = refusal(ex, "give another place with --out")
            raise WorkFailed(f"{text_of(self._out)} cannot be written: {why}") from ex


def refuse_changes(
    out: str, plan: Mapping[str, str], before: Mapping[str, str]
) -> None:
    """Refuse to go on with another run.

    Args:
        out: the output, for people.
        plan: the plan of this run; see ``Spool.opened``.
        before: the plan with which the ended run began.

    Raises:
        AdminError: they differ.
        KeyError, AttributeError: ``before`` is no plan.
    """
    changed = [_CHANGED[key] for key in _CHANGED if plan[key] != before[key]]
    if changed:
        spec = before["model"].partition(" ")[0]
        is_same = plan["model"].startswith(f"{spec} ")
        hint = "" if is_same else f", or score by --model {spec}"
        raise AdminError(
            f"{out} cannot be gone on with, because {' and '.join(changed)} since the"
            f" run began: begin again with --force{hint}"
        )


def _close(stream: IO[bytes]) -> None:
    with suppress(OSError):  # a full disk; the last commit is on it
        stream.close()


def _cut(path: Path, size: int) -> IO[bytes]:
    """Open a file to add to it after its first ``size`` bytes."""
    stream = path.open("ab")
    stream.truncate(size)
    return stream
