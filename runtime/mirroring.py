"""The store that is served, and the thread that keeps its copy of an object store."""

from __future__ import annotations

import fcntl
import logging
import os
import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import StoreError
from bundle.objects.opening import open_objects
from bundle.store import ModelStore
from runtime.config import Config
from runtime.process.daemon_thread import DaemonThread
from runtime.telemetry.once import Once

if TYPE_CHECKING:
    from bundle.objects.mirrored_store import MirroredStore

logger = logging.getLogger(__name__)

# A publisher that was killed may not have marked its change, so the whole store is
# listed now and then. One list request has 1,000 keys.
WHOLE_SECONDS = 60.0
# While the store does not answer, the looks become rarer, down to one in so many
# seconds.
SLOWEST_SECONDS = 30.0
# The start waits so long for the first look. Then it goes on with what is here.
FIRST_SECONDS = 10.0

LOCK = ".mirror.lock"


def open_served(config: Config) -> ModelStore:
    """Open the store of the settings; an object store is not asked yet.

    Raises:
        StoreError: the URL cannot be opened, or the extra ``objects`` is missing.
    """
    if isinstance(config.model_dir, Path):
        return ModelStore(config.model_dir, config.keep_versions)
    return _open(config)


def _open(config: Config) -> MirroredStore:
    return open_objects(
        str(config.model_dir),
        config.keep_versions,
        config.store_folder,
        config.object_cache_bytes,
    )


class Mirroring:
    """Keeps this machine's copy up to date, on a thread.

    One process of a machine does so for all who serve from the copy. It holds a lock,
    which the kernel frees when it ends, and another process takes its place.

    Args:
        config: the settings; with a folder as store there is nothing to do.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._thread = DaemonThread(self._work, "mirror")
        self._looked = threading.Event()
        self._once = Once()

    def start(self) -> None:
        """Begin, and wait a moment for the first look at the store."""
        if isinstance(self._config.model_dir, Path):
            return
        self._thread.start()
        self._looked.wait(FIRST_SECONDS)

    def _work(self) -> None:
        store = _open(self._config)
        folder = self._config.store_folder
        folder.mkdir(parents=True, exist_ok=True)
        seconds = self._config.object_poll_seconds
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:  # another process keeps the copy
                self._looked.set()
                time.sleep(_drawn(seconds))
        store.sweep()
        failures, whole_at, is_checked = 0, 0.0, False
        while True:
            try:
                is_whole = time.monotonic() >= whole_at
                store.mirror.refresh(whole=is_whole)
                if is_whole:
                    whole_at = time.monotonic() + _drawn(WHOLE_SECONDS)
                if failures:
                    logger.warning("the object store answers again")
                    self._once.forget()
                failures = 0
                if not is_checked:
                    is_checked = True
                    store.mirror.objects.check_writable()
            except StoreError as ex:
                failures += not is_checked or bool(store.mirror.index.state().failure)
                if self._once.is_news(str(ex)):
                    logger.warning("%s; what is on this machine serves on", ex)
            # Nothing else may end the thread: the next look may go well.
            except Exception as ex:
                if self._once.is_news(str(ex)):
                    logger.error("the object store cannot be mirrored", exc_info=ex)
            self._looked.set()
            wait = seconds * 2 ** min(failures, 10)
            time.sleep(_drawn(min(wait, max(seconds, SLOWEST_SECONDS))))


def _drawn(seconds: float) -> float:
    """Draw a time about as long: machines that started together drift apart."""
    return seconds * random.uniform(0.75, 1.25)


def unreadable(config: Config) -> str:
    """Ask an object store once; return why it cannot be read, or an empty text.

    Raises:
        StoreError: the URL cannot be opened, or the extra ``objects`` is missing.
    """
    store = open_objects(
        str(config.model_dir), 0, config.store_folder, is_patient=False
    )
    try:
        store.mirror.objects.changed()
    except StoreError as ex:
        return str(ex)
    return ""
