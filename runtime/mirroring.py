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

# The list of changes lacks that of a publisher that was killed, so the whole store is
# listed now and then. One request lists 1,000 versions.
WHOLE_SECONDS = 300.0
# While the store does not answer, the looks become rarer, down to one in so many
# seconds.
SLOWEST_SECONDS = 30.0
# The start waits so long for the first look. Then it goes on with what is here.
FIRST_SECONDS = 5.0

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
        looks = Looks(store, seconds)
        while True:
            wait = looks.look()
            self._looked.set()
            time.sleep(wait)


class Looks:
    """The looks of one process at an object store.

    Args:
        store: the store.
        seconds: the time from one look to the next, while the store answers.
    """

    def __init__(self, store: MirroredStore, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._once = Once()
        self._failures = 0
        self._whole_at = 0.0
        self._is_checked = False

    def look(self) -> float:
        """Look once, and bring up to date what is here; return how long to wait now."""
        try:
            is_whole = time.monotonic() >= self._whole_at
            self._store.mirror.refresh(whole=is_whole)
            if is_whole:
                self._whole_at = time.monotonic() + _drawn(WHOLE_SECONDS)
            if self._failures:
                logger.warning("the object store answers again")
                self._once.forget()
            self._failures = 0
            if not self._is_checked:
                self._is_checked = True
                _warn_of_writes(self._store)
        except StoreError as ex:
            self._failures += 1
            if self._once.is_news(str(ex)):
                logger.warning("%s; the models on this machine serve on", ex)
        # Nothing else may end the thread: the next look may go well.
        except Exception as ex:
            if self._once.is_news(str(ex)):
                logger.error("the object store cannot be mirrored", exc_info=ex)
        wait = self._seconds * 2 ** min(self._failures, 10)
        return _drawn(min(wait, max(self._seconds, SLOWEST_SECONDS)))


def _warn_of_writes(store: ModelStore) -> None:
    """Tell at the start if the object store can only be read."""
    try:
        store.check_writable()
    except StoreError as ex:
        logger.warning("uploads, labels and deletes will fail: %s", ex)


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
        store.mirror.objects.changes()
    except StoreError as ex:
        return str(ex)
    return ""
