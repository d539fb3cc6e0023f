"""The reading of a store in a folder: its versions and labels are found there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bundle.errors import ModelNotFound, StoreError
from bundle.params import MODEL_NAME
from bundle.store_errors import (
    no_label,
    no_model,
    no_version,
    published_anew,
    store_error,
)
from bundle.version import (
    MARKS,
    VERSION_FOLDER,
    Version,
    mark_of,
    model_folder,
    origin_of,
    state_of,
    version_folder,
)
from bundle.version_labels import STABLE, VersionLabels

# The file in a model's folder that marks it as unloaded.
UNLOADED = ".unloaded"


class StoreReader:
    """The models of a folder, which holds ``<name>/<version>/``.

    A reader takes no lock. Each change of the store is ONE rename, so a reader sees a
    version or a label as it was before or after the change.

    Args:
        root: the folder; it need not be there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """List the names of all models, sorted."""
        try:
            found = [entry.name for entry in os.scandir(self.root) if entry.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as ex:
            raise store_error("read", ex) from ex
        return sorted(name for name in found if self._is_model(name))

    def _is_model(self, name: str) -> bool:
        try:
            return bool(self.versions(name))
        except StoreError:
            return True  # a model that cannot be read must show in the list

    def versions(self, name: str) -> list[int]:
        """List the versions of a model, lowest first; empty without such a model."""
        if not MODEL_NAME.fullmatch(name):
            return []
        try:
            with os.scandir(self.root / name) as found:
                entries = {entry.name: entry.is_dir() for entry in found}
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as ex:
            raise store_error("read", ex) from ex
        numbers = sorted(
            {
                int(entry)
                for entry, is_dir in entries.items()
                if is_dir and VERSION_FOLDER.fullmatch(entry)
            }
        )
        return [0, *numbers] if any(mark in entries for mark in MARKS) else numbers

    def current(self, name: str) -> Version:
        """Find the version that serves: the one labelled stable, else the newest.

        Raises:
            ModelNotFound: the store has no model of this name.
        """
        return self.pointed(name, STABLE) or self.newest(name)

    def find(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> Version:
        """Find a version by its number, or by its label, or the one that serves.

        Raises:
            ModelNotFound: there is no such version.
        """
        if number is not None:
            return self.version(name, number)
        if label is not None:
            return self.labelled(name, label)
        return self.current(name)

    def serving(self, name: str) -> int:
        """Return the number of the version that serves; see ``current``.

        Raises:
            ModelNotFound: the store has no model of this name.
        """
        return self.current(name).number

    def newest(self, name: str) -> Version:
        """Find the highest version, without a look at the labels.

        Raises:
            ModelNotFound: the store has no model of this name.
        """
        # Somebody may delete a version between the listing and the look at it. Each
        # turn lists the store again, and the number of turns bounds the wait.
        for _ in range(100):
            numbers = self.versions(name)
            if not numbers:
                break
            with contextlib.suppress(ModelNotFound):
                return self.version(name, numbers[-1])
        raise no_model(name)

    def labelled(self, name: str, label: str) -> Version:
        """Find the version that a label points to.

        Raises:
            ModelNotFound: there is no such model, or it has no such label.
        """
        if version := self.pointed(name, label):
            return version
        self.newest(name)
        raise no_label(name, label)

    def pointed(self, name: str, label: str) -> Version | None:
        """Find the version that a label points to; None if there is none."""
        before = None
        while True:
            number = self._read_label(name, label)
            # The number is the same as before: somebody removed the version by hand.
            if number is None or number == before:
                return None
            with contextlib.suppress(ModelNotFound):
                return self.version(name, number)
            # The label was moved and its old version deleted in between: look again.
            before = number

    def labels(self, name: str) -> dict[str, int]:
        """List each label's version number, by label, sorted; empty if none is set."""
        if not MODEL_NAME.fullmatch(name):
            return {}
        try:
            return self._label_files(name).read_all()
        except OSError as ex:
            raise store_error("read", ex) from ex

    def is_unloaded(self, name: str) -> bool:
        """Tell whether somebody unloaded a model; no service answers with it then."""
        if not MODEL_NAME.fullmatch(name):
            return False
        try:
            return (self.root / name / UNLOADED).exists()
        except OSError as ex:
            raise store_error("read", ex) from ex

    def version(self, name: str, number: int) -> Version:
        """Find one version by its number.

        Raises:
            ModelNotFound: there is no such version.
        """
        # The name may come from a client, and becomes a part of a path.
        if not MODEL_NAME.fullmatch(name):
            raise no_model(name)
        path = self.root / name
        shown = (
            str(number) if abs(number) < 10**18 else "of that number"
        )  # as VERSION_NAME
        try:
            if number < 0:
                raise FileNotFoundError
            if number:
                path = model_folder(version_folder(path, shown))
            else:
                mark_of(path)
            return Version(name, number, path, state_of(path))
        except (FileNotFoundError, NotADirectoryError):
            if not self.versions(name):
                raise no_model(name) from None
            raise no_version(name, shown) from None
        except OSError as ex:
            raise store_error("read", ex) from ex

    def origin(self, name: str, number: int) -> tuple[int, ...]:
        """Make a mark of a version's bundle; a later bundle of this number has another.

        Raises:
            ModelNotFound: there is no such version.
            StoreError: the store cannot be read.
        """
        version = self.version(name, number)
        try:
            return origin_of(version.path)
        except FileNotFoundError:
            raise no_version(name, number) from None
        except OSError as ex:
            raise store_error("read", ex) from ex

    def check_origin(
        self, name: str, number: int, origin: tuple[int, ...] | None
    ) -> None:
        """Check that a version is there, and is the bundle that somebody means.

        Args:
            name: the model.
            number: the version's number.
            origin: the mark of the intended bundle, as ``origin`` made it, because
                another bundle may get the number after a delete. None takes any bundle.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: another bundle has the number by now.
            StoreError: the store cannot be read.
        """
        self.version(name, number)
        if origin not in (None, self.origin(name, number)):
            raise published_anew(name, number)

    def _read_label(self, name: str, label: str) -> int | None:
        if not MODEL_NAME.fullmatch(name):
            return None
        try:
            return self._label_files(name).read(label)
        except OSError as ex:
            raise store_error("read", ex) from ex

    def _label_files(self, name: str) -> VersionLabels:
        return VersionLabels(self.root / name)
