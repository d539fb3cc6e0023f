"""The folder in which several processes keep their counters together.

prometheus_client reads and writes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.config import ConfigError

# prometheus_client reads this when it is first imported, so it must be set before.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def counters_folder(workers: int) -> Iterator[str]:
    """Give the folder of the workers' counters for the time of the block.

    A folder that the environment names is used, and made if it is missing. Several
    services may share it, and their counts stay there: a counter must not fall.

    Yields:
        The folder, if this function made it; else an empty text.

    Raises:
        ConfigError: the folder that is named cannot be made.
    """
    if given := os.environ.get(VARIABLE):
        with _given_folder(Path(given)):
            yield ""
        return
    # An empty variable would mean the working folder.
    os.environ.pop(VARIABLE, None)
    if workers == 1:
        yield ""
        return
    os.environ[VARIABLE] = folder = tempfile.mkdtemp(prefix="tfaas-metrics-")
    try:
        yield folder
    finally:
        del os.environ[VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _given_folder(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as ex:
        raise ConfigError(
            f"${VARIABLE} names {folder}, which cannot be a folder: {ex.strerror}"
        ) from ex
    _forget_the_dead(folder)
    try:
        yield
    finally:
        _forget_the_dead(folder)


def forget_process(pid: int) -> None:
    """Drop the gauges of a process that has ended; its counters stay."""
    if os.environ.get(VARIABLE):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _forget_the_dead(folder: Path) -> None:
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            forget_process(int(pid))
