"""The folder in which the counters of several processes meet: prometheus_client's."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.config import ConfigError

# Read by prometheus_client when it is first imported: whoever sets it does so before.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def counters_folder(workers: int) -> Iterator[str]:
    """Where the workers' counters meet, for as long as the block lasts.

    A folder that the environment names is taken, and made if it is not there. Several
    services may share it, and what was counted there stays: a counter must not fall.

    Yields:
        The folder, if it is a temporary one of ours; else it is empty.

    Raises:
        ConfigError: the folder that is named cannot be made.
    """
    if given := os.environ.get(VARIABLE):
        with _given_folder(Path(given)):
            yield ""
        return
    # Set to nothing, it would mean the working folder.
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
    """Drop the gauges of a process that is gone; what it counted stays counted."""
    if os.environ.get(VARIABLE):
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _forget_the_dead(folder: Path) -> None:
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            forget_process(int(pid))
