"""The lock of a model's folder, while its labels change or its versions are deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bundle.staging import LOCK_SECONDS, locked
from bundle.store_errors import store_error
from bundle.store_reader import StoreReader


class ModelLock:
    """The lock of each model of a store, so that no label points to a deleted version.

    Publishing and reading wait for nobody, and need no lock.

    Args:
        reader: the store.
        seconds: the longest wait for another change of the model.
    """

    def __init__(self, reader: StoreReader, seconds: float = LOCK_SECONDS) -> None:
        self._reader = reader
        self._seconds = seconds

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Lock a model's folder for a change.

        Raises:
            ModelNotFound: the store has no model of this name.
            StoreError: the store cannot be written, or somebody else held the folder
                for too long.
        """
        try:
            with contextlib.ExitStack() as held:
                while True:
                    self._reader.newest(name)
                    # The model was deleted, and maybe published anew: look again.
                    with contextlib.suppress(FileNotFoundError):
                        folder = self._reader.root / name
                        held.enter_context(locked(folder, seconds=self._seconds))
                        break
                yield
        except OSError as ex:
            raise store_error("written", ex) from ex
