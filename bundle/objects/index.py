"""The index: what the object store had when it was last read, for all processes.

Each model has a file ``<name>/.objects/index.json`` in the copy's folder. One process
writes (see ``Mirror``), and all read.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bundle.objects.entry import Entry
from bundle.params import MODEL_NAME
from bundle.staging import locked

# A model's folder has the index in here, and is locked by whoever changes the model.
FOLDER = ".objects"
_FILE = "index.json"
_STATE = ".objects.json"


@dataclass(frozen=True)
class State:
    """How the reading of the store goes.

    Attributes:
        read: when it was last read, in seconds since 1970; 0 is never.
        failure: why it could not be read the last time; empty if it could.
        behind: the models whose newest version or label could not be brought here.
    """

    read: float = 0.0
    failure: str = ""
    behind: int = 0


class Index:
    """The index of one copy.

    Args:
        root: the copy's folder.
        clock: the time in seconds since 1970.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._clock = clock
        # An entry, and the file that it was read from.
        self._read: dict[str, tuple[tuple[int, int], Entry]] = {}

    def names(self) -> list[str]:
        """List the models, sorted."""
        try:
            found = [entry.name for entry in os.scandir(self._root)]
        except OSError:
            return []
        return sorted(name for name in found if self.has(name))

    def has(self, name: str) -> bool:
        """Tell whether a model is in the index."""
        return bool(MODEL_NAME.fullmatch(name)) and self._path(name).exists()

    def entry(self, name: str) -> Entry | None:
        """Return a model's entry; None if the index has no such model."""
        if not MODEL_NAME.fullmatch(name):
            return None
        path = self._path(name)
        try:
            status = path.stat()
            mark = (status.st_ino, status.st_mtime_ns)
            if name in self._read and self._read[name][0] == mark:
                return self._read[name][1]
            entry = Entry.from_json(path.read_bytes())
        except (OSError, ValueError):
            self._read.pop(name, None)
            return None
        self._read[name] = mark, entry
        return entry

    def entries(self) -> dict[str, Entry]:
        """Return all entries, by name."""
        found = ((name, self.entry(name)) for name in self.names())
        return {name: entry for name, entry in found if entry}

    def write(self, entry: Entry) -> None:
        """Replace a model's entry."""
        folder = self._path(entry.name).parent
        folder.mkdir(parents=True, exist_ok=True)
        _replace(self._path(entry.name), entry.to_json())

    def forget(self, name: str) -> None:
        """Remove a model from the index."""
        shutil.rmtree(self._path(name).parent, ignore_errors=True)
        with contextlib.suppress(OSError):  # its versions are still there
            (self._root / name).rmdir()

    @contextlib.contextmanager
    def alone(self, name: str, seconds: float) -> Iterator[None]:
        """Be the one who brings a model here, or changes it.

        Raises:
            TimeoutError: somebody else took longer than so many seconds.
        """
        folder = self._path(name).parent
        with contextlib.ExitStack() as held:
            while True:
                folder.mkdir(parents=True, exist_ok=True)
                # Somebody may forget the model at this moment.
                with contextlib.suppress(FileNotFoundError):
                    held.enter_context(locked(folder, seconds=seconds))
                    break
            yield

    def state(self) -> State:
        """Return how the reading of the store goes."""
        try:
            return State(**json.loads((self._root / _STATE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return State()

    def note(self, failure: str = "", behind: int = 0) -> None:
        """Note that the store was read, or why it could not be."""
        read = self.state().read if failure else self._clock()
        self._root.mkdir(parents=True, exist_ok=True)
        state = State(read, failure, behind)
        _replace(self._root / _STATE, json.dumps(asdict(state)))

    def age(self) -> float:
        """Return how many seconds ago the store was read; infinite if it never was."""
        read = self.state().read
        return max(0.0, self._clock() - read) if read else math.inf

    def _path(self, name: str) -> Path:
        return self._root / name / FOLDER / _FILE


def _replace(path: Path, text: str) -> None:
    # It is not written through to the disk: the store is read again after a crash.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
