"""The counts of several processes, each of which writes a small file of its own.

The files lie in the folder of the metrics (``runtime.telemetry.counters``), and hold
counts alone. One process alone needs no file.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import orjson

from runtime.telemetry.counters import VARIABLE

# prometheus_client reads the files *.db in this folder, and no others. The number is
# that of the content: a release that writes other keys has another one, and two
# releases that share the folder for a while do not read each other's files.
_PREFIX = "watching-1-"


class Exchange:
    """Shows this process's counts to the others, and reads theirs.

    Args:
        seconds: the counts of a process that has not written for so long are deleted.
        folder: the folder; None takes the one of the metrics, if there is one.

    Attributes:
        seconds: the argument of this name.
    """

    def __init__(self, seconds: float, folder: Path | None = None) -> None:
        named = os.environ.get(VARIABLE)
        self._folder = folder or (Path(named) if named else None)
        self.seconds = seconds
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[int, dict[str, Any]]] = {}

    @property
    def is_shared(self) -> bool:
        """Whether other processes may read what is shown."""
        return self._folder is not None

    def show(self, content: dict[str, Any]) -> None:
        """Write this process's counts, by the versions' keys.

        A folder that cannot be written is no reason to stop: each process then shows
        its own counts alone.
        """
        if self._folder is None:
            return
        path = self._folder / f"{_PREFIX}{os.getpid()}.json"
        draft = path.with_suffix(".new")
        with contextlib.suppress(OSError):
            draft.write_bytes(orjson.dumps(content))
            draft.replace(path)

    def others(self, key: str) -> list[dict[str, Any]]:
        """Return the counts of one version that the other processes show."""
        return [content[key] for content in self._contents() if key in content]

    def _contents(self) -> list[dict[str, Any]]:
        if self._folder is None:
            return []
        own = f"{_PREFIX}{os.getpid()}.json"
        with self._lock:
            found: dict[Path, tuple[int, dict[str, Any]]] = {}
            for path in self._folder.glob(f"{_PREFIX}*.json"):
                if path.name == own:
                    continue
                # The file of a process that ended stays until its counts are old.
                with contextlib.suppress(OSError, ValueError):
                    written = path.stat().st_mtime_ns
                    if written / 1e9 < time.time() - self.seconds:
                        path.unlink()
                        continue
                    known = self._read.get(path)
                    if known is None or known[0] != written:
                        known = written, orjson.loads(path.read_bytes())
                    found[path] = known
            self._read = found
            return [content for _, content in found.values()]
