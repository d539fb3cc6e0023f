"""The output of a scoring on a cluster: a folder of Parquet files, here or in a bucket.

The names that begin with ``_`` are the run's own, and readers of Parquet leave them
out::

    part-000000.parquet     the rows of a part
    _plan.json              the plan of a run that is not finished, and its writer
    _parts/000000.json      the part is done; written after its rows
    _SUCCESS                the run is finished: its figures

A bucket keeps or refuses each file as a whole, and so does a folder. So a part is done
or not there, whatever is killed.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from bundle.errors import StoreError
from bundle.objects.address import Place
from bundle.objects.opening import open_place
from runtime.admin.errors import AdminError, WorkFailed
from runtime.scoring.files import text_of
from runtime.scoring.spool import refuse_changes

if TYPE_CHECKING:
    from bundle.objects.bucket import Bucket

_PLAN, _SUCCESS, _PARTS = "_plan.json", "_SUCCESS", "_parts/"
_ROWS = re.compile(r"part-(\d{6,})\.parquet")
_OURS = re.compile(rf"part-\d{{6,}}\.parquet|{_PLAN}|{_SUCCESS}|{_PARTS}\d{{6,}}\.json")
# So many files are read or removed at once.
_TOGETHER = 16


@dataclass(frozen=True)
class Done:
    """A part that is done.

    Attributes:
        number: its number.
        scored: the items that have rows.
        rejected: the name of each other item, and the reason.
        head: the columns and their types, in hexadecimal; empty without rows.
    """

    number: int
    scored: int
    rejected: list[tuple[str, str]]
    head: str

    @property
    def items(self) -> int:
        """The number of its items."""
        return self.scored + len(self.rejected)


@dataclass(frozen=True)
class Before:
    """An ended run, with which a run goes on.

    Attributes:
        items: the number of items after which a part ends.
        done: the parts that are done.
    """

    items: int
    done: list[Done]


class PartFolder:
    """The folder of an output.

    Args:
        out: the folder, or its URL.

    Raises:
        AdminError: it cannot be written to, whatever happens.
        StoreError: its URL cannot be opened.
    """

    def __init__(self, out: Place) -> None:
        self.out = out
        # The number of items with which an ended run would be gone on with.
        self.kept = 0
        self._text = text_of(out)
        self._bucket, self._name = located("--out", out)
        if isinstance(out, Path) and out.exists() and not out.is_dir():
            raise AdminError(f"{self._text} is a file; name a folder with --out")

    def look(
        self, plan: Mapping[str, str], *, resume: bool, force: bool
    ) -> Before | None:
        """Look whether a run may begin, or go on with an ended one.

        Args:
            plan: the input, the model and the settings; see ``Spool.opened``.
            resume: go on with a run that was ended; begin if there is none.
            force: drop a run that was ended, and replace the output.

        Returns:
            The ended run with which this one goes on, if any.

        Raises:
            AdminError: the output is there; or a run was ended, and neither ``resume``
                nor ``force`` is given; or it is another run.
            WorkFailed: the disk or the object store refuses it.
        """
        if force:
            return None
        with self._refusing():
            before = self._read(_PLAN)
            if before is not None and self._read(_SUCCESS) is not None:
                self._tidy()  # the command was killed at its very end
                before = None
            if before is None:
                if self._names():
                    raise AdminError(
                        f"{self._text} is there already: give another name, or replace"
                        " it with --force"
                    )
                return None
            if not resume:
                raise AdminError(
                    f"{self._text} was begun and not finished: go on with --resume, or"
                    " begin again with --force"
                )
            found = self._begun_before(before, plan)
        self.kept = sum(part.items for part in found.done)
        return found

    def begin(self, plan: Mapping[str, str], before: Before) -> str:
        """Take the output over, and remove what is no part of the run.

        Args:
            plan: see ``look``.
            before: the ended run, or a new one without parts.

        Returns:
            The ticket of this command. A later command takes the output over with a
            ticket of its own, and processes of an earlier one stop.

        Raises:
            WorkFailed: the disk or the object store refuses it.
        """
        ticket = uuid.uuid4().hex
        content = {"plan": dict(plan), "items": before.items, "ticket": ticket}
        with self._refusing():
            if not before.done:
                self._remove(_OURS)
            self._put(_PLAN, json.dumps(content).encode())
        return ticket

    def add(self, ticket: str, done: Done, rows: Path | None) -> None:
        """Write a part; whoever writes it later writes the same.

        Args:
            ticket: the ticket of the command that has this part scored.
            done: the part.
            rows: its Parquet file; None if no item has scores.

        Raises:
            WorkFailed: the output is not there, another command has taken it over, or
                the disk or the object store refuses it.
        """
        with self._refusing():
            plan = self._read(_PLAN)
            if plan is None:
                raise WorkFailed(
                    f"{self._text} is not the folder with which the command began: all"
                    " nodes must share it, or it must be in an object store"
                )
            if json.loads(plan).get("ticket") != ticket:
                raise WorkFailed(f"another command writes {self._text} by now")
            if rows:
                self._put(f"part-{done.number:06d}.parquet", rows)
            self._put(
                f"{_PARTS}{done.number:06d}.json", json.dumps(asdict(done)).encode()
            )

    def finish(self, parts: list[Done], figures: Mapping[str, object]) -> None:
        """Check that all parts are there, and say so.

        There is no output if no item has scores.

        Args:
            parts: all parts.
            figures: the content of the file ``_SUCCESS``.

        Raises:
            WorkFailed: rows are missing; or the disk or the object store refuses it.
        """
        with self._refusing():
            there = {
                int(m[1]) for name in self._names() if (m := _ROWS.fullmatch(name))
            }
            if missing := {part.number for part in parts if part.scored} - there:
                raise WorkFailed(
                    f"{len(missing)} files of {self._text} are missing: did all nodes"
                    " share the folder, or did somebody remove them?"
                )
            if any(part.scored for part in parts):
                self._put(_SUCCESS, json.dumps(figures).encode())
            self._tidy()
        self.kept = 0

    def drop(self) -> None:
        """Remove all that the run wrote.

        Raises:
            WorkFailed: the disk or the object store refuses it.
        """
        with self._refusing():
            self._remove(_OURS)
        self.kept = 0

    def _begun_before(self, before: bytes, plan: Mapping[str, str]) -> Before:
        """Read what an ended run has done."""
        damaged = AdminError(
            f"what is left of the ended run of {self._text} is damaged: begin again"
            " with --force"
        )
        try:
            content = json.loads(before)
            items = int(content["items"])
            refuse_changes(self._text, plan, content["plan"])
            names = [name for name in self._names() if name.startswith(_PARTS)]
            with ThreadPoolExecutor(_TOGETHER) as pool:
                told = [json.loads(text or b"") for text in pool.map(self._read, names)]
            done = [
                Done(
                    t["number"],
                    t["scored"],
                    [tuple(r) for r in t["rejected"]],
                    t["head"],
                )
                for t in told
            ]
        except (ValueError, TypeError, KeyError, AttributeError) as ex:
            raise damaged from ex
        return Before(items, done)

    def _names(self) -> list[str]:
        """List all files of the folder, by their paths in it."""
        above = f"{self._name}/"
        return [key.removeprefix(above) for key in self._bucket.list(above)]

    def _read(self, name: str) -> bytes | None:
        got = self._bucket.read(f"{self._name}/{name}")
        return got and got[0]

    def _put(self, name: str, content: bytes | Path) -> None:
        self._bucket.put(f"{self._name}/{name}", content)

    def _tidy(self) -> None:
        """Remove what only a run that is not finished needs."""
        self._remove(re.compile(rf"{_PLAN}|{_PARTS}\d{{6,}}\.json"))

    def _remove(self, which: re.Pattern[str]) -> None:
        """Remove files of the run, the plan last; a stranger's stay."""
        ours = [name for name in self._names() if which.fullmatch(name)]
        with ThreadPoolExecutor(_TOGETHER) as pool:
            keys = [f"{self._name}/{name}" for name in ours if name != _PLAN]
            list(pool.map(self._bucket.delete, keys))
        self._bucket.delete(f"{self._name}/{_PLAN}")
        if isinstance(self.out, Path):
            for folder in (self.out / _PARTS, self.out):
                if folder.is_dir() and not any(folder.iterdir()):
                    shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except StoreError as ex:
            why = (
                str(ex)
                if isinstance(self.out, str)
                else "the disk is full, or refuses it; give another place with --out"
            )
            raise WorkFailed(f"{self._text} cannot be written: {why}") from ex


def located(option: str, place: Place) -> tuple[Bucket, str]:
    """Return the place above one, and the name in it.

    Raises:
        AdminError: there is none.
        StoreError: the URL cannot be opened.
    """
    if isinstance(place, str):
        if not urlsplit(place).path.strip("/"):
            raise AdminError(f"{option} {place} names a bucket; name a folder in it")
        parent, _, name = place.rpartition("/")
        return open_place(parent), name
    if not place.parent.is_dir():
        raise AdminError(
            f"{text_of(place)} cannot be written: there is no folder"
            f" {text_of(place.parent)}"
        )
    parent = quote(str(place.parent.absolute()))
    return open_place(f"file://{parent}"), place.name
