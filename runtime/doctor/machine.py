"""The machine: cores, memory, disks, limits, clock, and the walls of its kernel."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from runtime.config import Config
from runtime.process.cores import usable_cores
from runtime.process.memory import usable_memory
from runtime.telemetry.counters import VARIABLE
from runtime.walls import standing

Facts = dict[str, object]


def facts_of_machine(config: Config) -> Facts:
    """Describe the machine for a process that would serve here; bytes are numbers."""
    machine = psutil.virtual_memory()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    walls = standing()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count() or 1,
        "usable_cores": usable_cores(),
        "memory_bytes": machine.total,
        "usable_memory_bytes": usable_memory(),
        "free_memory_bytes": machine.available,
        "disks": {key: free_bytes(folder) for key, folder in folders_of(config)},
        "open_files": {"soft": _count(soft), "hard": _count(hard)},
        "clock": datetime.now(UTC).isoformat(timespec="seconds"),
        "landlock": walls.landlock,
        "seccomp": walls.seccomp,
    }


def folders_of(config: Config) -> Iterator[tuple[str, Path]]:
    """Give the folders into which the service writes, each with its setting."""
    yield "modelDir", config.store_folder
    if config.log_file:
        yield "logFile", Path(config.log_file).parent
    if config.feedback_dir:
        yield "feedbackDir", Path(config.feedback_dir)
    # Several workers keep their counters there.
    yield "metrics", Path(os.environ.get(VARIABLE) or tempfile.gettempdir())


def free_bytes(folder: Path) -> int | None:
    """Return what is free where a folder is, or would be made; None if unknown."""
    path = folder.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def clock_faults(store: Path) -> Iterator[str]:
    """Tell why the clock seems wrong: by this program's files, and by the store's.

    Args:
        store: the folder of the store; each model has a folder in it.
    """
    now = time.time()
    own = Path(__file__).stat().st_mtime
    if now < own - _SLACK_SECONDS:
        yield (
            f"the clock says {_shown(now)}, which is before this program was installed"
            f" ({_shown(own)}); set it"
        )
    newest = max(_times(store), default=0.0)
    if newest > now + _SLACK_SECONDS:
        yield (
            f"the store has a change of {_shown(newest)}, and the clock says"
            f" {_shown(now)}: this clock is behind, or that of another machine is ahead"
        )


# Clocks of machines that a time server keeps differ by far less.
_SLACK_SECONDS = 60.0


def _times(store: Path) -> Iterator[float]:
    try:
        with os.scandir(store) as models:
            for model in models:
                yield model.stat(follow_symlinks=False).st_mtime
    except OSError:  # it is not there, or cannot be read; another check says so
        return


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _count(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit
