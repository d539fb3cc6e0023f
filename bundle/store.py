"""The store: bundles on disk as ``<name>/<version>/``, published and deleted whole.

It stands in ``bundle`` because three stages share it: the trainer publishes into it,
the exporter finds models in it, the service serves it. Several processes may use one
store at the same time. They share nothing but the disk, and each change of the store is
ONE rename. So a reader always sees a whole version, either the old or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from bundle.errors import BundleError, ConflictError, ModelNotFound, StoreError
from bundle.folder import open_whole
from bundle.params import MODEL_NAME
from bundle.spec import ModelSpec
from bundle.staging import LOCK_SECONDS, Staging, locked, sync, sync_tree
from bundle.trash import Trash
from bundle.version import (
    MARKS,
    VERSION_FOLDER,
    VERSION_NAME,
    Away,
    Version,
    mark_of,
    model_folder,
    origin_of,
    state_of,
)
from bundle.version_labels import LABEL_NAME, LABEL_RULE, STABLE, VersionLabels

T = TypeVar("T")

logger = logging.getLogger(__name__)

# The file in a model's folder that marks it as unloaded.
UNLOADED = ".unloaded"

# Commands put their own words in this place.
LISTS = "GET /models lists"


class ModelStore:
    """Bundles on disk, in versions.

    A label (``stable``, ``canary``) is a name that points to a version and can be
    moved. It is a file ``<name>/.labels/<label>`` that holds the version's number, and
    is replaced by one rename. A process that changes labels or deletes versions locks
    the model's folder, so that no label points to a version deleted at the same time.
    Publishing and reading wait for nobody.

    Args:
        root: the folder that holds ``<name>/<version>/``; made at the first write.
        keep: the number of versions without a label that a model keeps when another is
            published; the oldest are deleted first. 0 keeps all. A version with a
            label, and a flat bundle that was put there by hand, always stay.
        lock_seconds: the longest wait of a change for another change of the model.
    """

    def __init__(
        self, root: Path, keep: int = 0, lock_seconds: float = LOCK_SECONDS
    ) -> None:
        self.root = root
        self._keep = keep
        self._lock_seconds = lock_seconds
        self._staging = Staging(root)
        self._trash = Trash(root)

    def keep_versions(self, keep: int) -> None:
        """Let a model keep so many versions from now on; see ``keep`` of the class."""
        self._keep = keep

    @property
    def here(self) -> ModelStore:
        """The store of the files on this machine; another one has nothing to fetch."""
        return self

    def refresh(self) -> None:
        """Read what there is elsewhere, if the models come from elsewhere.

        Raises:
            StoreUnreachable: nobody answers there.
        """

    def check_writable(self) -> None:
        """Check before long work that another store takes versions.

        Raises:
            StoreError: it does not, or does not answer.
        """

    def sweep(self) -> None:
        """Remove what crashes left in staging and trash; call it at the start."""
        self._staging.sweep()
        self._trash.sweep()

    def names(self) -> list[str]:
        """List the names of all models, sorted."""
        try:
            found = [entry.name for entry in os.scandir(self.root) if entry.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as ex:
            raise _store_error("read", ex) from ex
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
            raise _store_error("read", ex) from ex
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

    def check_there(self, spec: ModelSpec) -> None:
        """Check that there is such a version, without a fetch.

        Raises:
            ModelNotFound: there is none.
            StoreUnreachable: nobody knows, because another store does not answer.
        """
        self.find(*spec)

    def away(self, name: str, number: int | None = None) -> Away | None:
        """Describe a version whose files are not on this machine yet.

        Args:
            name: the model.
            number: the version; None is the one that serves.

        Returns:
            None if the files are here, or there is no such version.
        """
        return None

    def age(self) -> float | None:
        """Return how many seconds ago another store was read, from which models come.

        It is infinite if that store was never read, and None if there is no other one.
        """
        return None

    def behind(self) -> int:
        """Count the models whose newest state could not be brought here."""
        return 0

    def holding(self, open_version: Callable[[Version], T]) -> Callable[[Version], T]:
        """Return a function that opens a version and keeps its files here meanwhile.

        They stay as long as the object that it returns.
        """
        return open_version

    def is_own(self, version: Version) -> bool:
        """Tell whether this machine should add what a version lacks, such as ONNX."""
        return True

    def share(self, version: Version) -> None:
        """Tell other machines of files that were added to a version's folder."""

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
        raise ModelNotFound(f"model {name!r} has no label {label[:64]!r}")

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
            return self._labels(name).read_all()
        except OSError as ex:
            raise _store_error("read", ex) from ex

    def set_label(
        self, name: str, label: str, number: int, origin: tuple[int, ...] | None = None
    ) -> None:
        """Point a label to a version, or move it there.

        Args:
            name: the model.
            label: the label; see ``LABEL_RULE``.
            number: the version's number.
            origin: the mark of the intended bundle, see ``origin_of``, because another
                bundle may get the number after a delete. None takes any bundle with the
                number.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: ``label`` is no name for a label, or another bundle has the
                number by now.
            StoreError: the store cannot be written.
        """
        if not LABEL_NAME.fullmatch(label):
            raise ConflictError(f"{label[:64]!r} is no name for a label: {LABEL_RULE}")
        with self._alone(name):
            self.version(name, number)
            if origin not in (None, self.origin(name, number)):
                raise ConflictError(
                    f"version {number} of {name!r} was deleted and published anew"
                    " meanwhile; look at it, and set the label again"
                )
            self._labels(name).write(label, number)
        logger.info("%s label %s is version %d", name, label, number)

    def delete_label(self, name: str, label: str) -> int:
        """Delete a label; its version stays.

        Returns:
            The version's number.

        Raises:
            ModelNotFound: there is no such model, or it has no such label.
            StoreError: the store cannot be written.
        """
        with self._alone(name):
            number = self._read_label(name, label)
            if number is None:
                raise ModelNotFound(f"model {name!r} has no label {label[:64]!r}")
            self._labels(name).delete(label)
        logger.info("%s label %s is deleted", name, label)
        return number

    def is_unloaded(self, name: str) -> bool:
        """Tell whether somebody unloaded a model; no service answers with it then."""
        if not MODEL_NAME.fullmatch(name):
            return False
        try:
            return (self.root / name / UNLOADED).exists()
        except OSError as ex:
            raise _store_error("read", ex) from ex

    def set_unloaded(self, name: str, is_unloaded: bool) -> None:
        """Mark a model as unloaded, or take the mark away.

        Raises:
            ModelNotFound: the store has no model of this name.
            StoreError: the store cannot be written.
        """
        with self._alone(name):
            folder = self.root / name
            # A file that comes or goes gives the folder a new time, which tells all
            # processes.
            if is_unloaded:
                (folder / UNLOADED).touch()
            else:
                (folder / UNLOADED).unlink(missing_ok=True)
            sync(folder)
        logger.info("%s is %s", name, "unloaded" if is_unloaded else "loaded")

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Lock a model's folder while its labels change or its versions are deleted.

        Raises:
            ModelNotFound: the store has no model of this name.
            StoreError: the store cannot be written, or somebody else held the folder
                for too long.
        """
        try:
            with contextlib.ExitStack() as held:
                while True:
                    self.newest(name)
                    # The model was deleted, and maybe published anew: look again.
                    with contextlib.suppress(FileNotFoundError):
                        folder = self.root / name
                        held.enter_context(locked(folder, seconds=self._lock_seconds))
                        break
                yield
        except OSError as ex:
            raise _store_error("written", ex) from ex

    def _read_label(self, name: str, label: str) -> int | None:
        if not MODEL_NAME.fullmatch(name):
            return None
        try:
            return self._labels(name).read(label)
        except OSError as ex:
            raise _store_error("read", ex) from ex

    def _labels(self, name: str) -> VersionLabels:
        return VersionLabels(self.root / name)

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
                path = model_folder(_folder_of(path, shown))
            else:
                mark_of(path)
            return Version(name, number, path, state_of(path))
        except (FileNotFoundError, NotADirectoryError):
            if not self.versions(name):
                raise no_model(name) from None
            raise ModelNotFound(f"model {name!r} has no version {shown}") from None
        except OSError as ex:
            raise _store_error("read", ex) from ex

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
            raise ModelNotFound(f"model {name!r} has no version {number}") from None
        except OSError as ex:
            raise _store_error("read", ex) from ex

    def install(
        self,
        write: Callable[[Path], None],
        check: Callable[[Path], str] = lambda staged: open_whole(staged).params.name,
    ) -> Version:
        """Publish a bundle as the next version of the model that its params.json names.

        An error leaves the store as it was.

        Args:
            write: fills an empty folder with the bundle's files.
            check: checks the bundle before anybody else sees it, and returns the name
                in its params.json, or raises. The store itself opens no file of the
                bundle, because a stranger may have made it.

        Returns:
            The version. It serves from now on if no version is labelled stable.

        Raises:
            BundleError: the folder is no whole bundle.
            StoreError: the disk is full or not writable.
        """
        try:
            with self._staging.folder() as staged:
                write(staged)
                name = check(staged)
                # The name becomes a part of a path, and may come from another process.
                if not MODEL_NAME.fullmatch(name):
                    raise BundleError(f"{name[:128]!r} is no name for a model")
                sync_tree(staged)
                # A rename keeps the state, and the model may be deleted right after it.
                state = state_of(staged)
                number = self._publish(staged, name)
        except OSError as ex:
            raise _store_error("written", ex) from ex
        logger.info("published %s version %d", name, number)
        self._trim(name)
        return Version(name, number, self.root / name / str(number), state)

    def delete(self, name: str) -> None:
        """Delete a model with all its versions.

        Raises:
            ModelNotFound: the store has no model of this name.
            StoreError: the store cannot be written.
        """
        with self._trash.graves() as bury, self._alone(name):
            bury(self.root / name)
            sync(self.root)
        logger.info("deleted %s", name)

    def delete_version(self, name: str, number: int) -> str:
        """Delete one version of a model.

        Returns:
            Another folder with this number (``007`` beside ``7``), which is the version
            from now on; empty if there is none.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: a label points to it, or it is a flat bundle that was put
                there by hand.
            StoreError: the store cannot be written.
        """
        with self._trash.graves() as bury, self._alone(name):
            self.version(name, number)
            if not number:
                raise ConflictError(
                    f"version 0 of {name!r} is a flat bundle that was put there by"
                    " hand; delete the model with all its versions, or move the folder"
                    " away"
                )
            for label, labelled in self.labels(name).items():
                if labelled == number:
                    raise ConflictError(
                        f"version {number} of {name!r} is labelled {label!r}; move or"
                        " delete the label first"
                    )
            folder = self.root / name
            bury(_folder_of(folder, str(number)))
            sync(folder)
            other = _folder_of(folder, str(number))
            left = other.name if other.exists() else ""
            if not self.versions(name):
                self._labels(name).delete_all()
                (folder / UNLOADED).unlink(missing_ok=True)
                _remove_if_empty(folder)
        logger.info("deleted %s version %d", name, number)
        if left:
            logger.warning("%s version %d is the folder %s now", name, number, left)
        return left

    def _trim(self, name: str) -> None:
        """Delete the oldest versions without a label, down to ``keep`` of them."""
        if not self._keep:
            return
        try:
            with self._trash.graves() as bury, self._alone(name):
                labelled = set(self.labels(name).values())
                numbers = [n for n in self.versions(name) if n and n not in labelled]
                for number in numbers[: -self._keep]:
                    bury(_folder_of(self.root / name, str(number)))
                    logger.info("trimmed %s version %d", name, number)
                sync(self.root / name)
        except ModelNotFound:
            pass  # the whole model is deleted already
        except StoreError as ex:  # the new version stays published
            logger.warning("%s: old versions cannot be deleted: %s", name, ex)

    def _publish(self, staged: Path, name: str) -> int:
        folder = self.root / name
        number = 0
        while True:
            number = max(number, *self.versions(name), 0) + 1
            published = folder / str(number)
            if not VERSION_NAME.fullmatch(published.name):
                raise ConflictError(
                    f"version {number - 1} of {name!r} is the highest number that a"
                    " version may have; delete it, or publish under another name"
                )
            try:
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                staged.rename(published)
            except OSError as ex:
                # Somebody else published this number, or a stray file has its name: try
                # the next number.
                if ex.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    continue
                if ex.errno == errno.ENOTDIR and folder.is_dir():
                    continue
                # Somebody deleted the whole model: begin at 1 again. A link that was
                # put there by hand, and whose target is missing, stays in the way.
                is_gone = ex.errno == errno.ENOENT and not folder.is_symlink()
                if is_gone and staged.is_dir():
                    number = 0
                    continue
                _remove_if_empty(folder)
                raise
            try:
                sync(folder)
                sync(self.root)
            except FileNotFoundError:
                pass  # somebody deleted the model already
            except OSError:
                published.rename(staged)
                _remove_if_empty(folder)
                raise
            return number


def _folder_of(model: Path, number: str) -> Path:
    """Return the folder of a version; TensorFlow Serving takes 00000123 for 123.

    The folder with the fewest zeros is the version, if several have its number.
    """
    folder = model / number
    if folder.exists():
        return folder
    same = [
        path
        for path in model.glob(f"0*{number}")
        if VERSION_FOLDER.fullmatch(path.name) and int(path.name) == int(number)
    ]
    return min(same, key=lambda path: len(path.name), default=folder)


def no_model(name: str) -> ModelNotFound:
    """Make the error of a name that the store does not have."""
    return ModelNotFound(f"there is no model {name[:128]!r}; {LISTS} those there are")


def unloaded(name: str) -> ModelNotFound:
    """Make the error of a request for a model that somebody unloaded."""
    return ModelNotFound(
        f"model {name[:128]!r} is unloaded; a writer loads it with POST"
        f" /v2/repository/models/{name[:128]}/load"
    )


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _store_error(done: str, ex: OSError) -> StoreError:
    return StoreError(f"the store cannot be {done}: {ex.strerror}")
