"""The store: bundles on disk as ``<name>/<version>/``, published and deleted whole.

It stands in ``bundle`` because three stages share it: the trainer publishes into it,
the exporter finds models in it, the service serves it. Several processes may use one
store at a time; the disk is their only shared truth, and every change of it is ONE
rename. What the store shows is therefore always whole: the version before, or the one
after.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import ConflictError, ModelNotFound, StoreError
from bundle.folder import ONNX, Bundle, open_bundle
from bundle.manifest import verify_manifest
from bundle.params import FILE_NAME as PARAMS
from bundle.params import MODEL_NAME
from bundle.staging import Staging, locked, replace_file, sync, sync_tree

logger = logging.getLogger(__name__)

# No leading zero and nothing but digits, as Triton reads a repository.
_VERSION = re.compile(r"[1-9][0-9]{0,17}")
# A label stands in URLs where a number may, too: so it begins with a letter.
LABEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
LABEL_RULE = "a letter, then up to 62 letters, digits, '_', '-' or '.'"
# The label whose version serves who asks for none.
STABLE = "stable"
_LABELS = ".labels"


@dataclass(frozen=True)
class Version:
    """One version of one model, as it lies in the store.

    Attributes:
        number: 1, 2, 3 …; 0 is a flat TFaaS bundle put by hand at ``<name>/``.
        state: differs whenever the folder is another one or gained or lost
            model.onnx, also when a number is used again after a delete. Its second
            number is when the folder last changed, in nanoseconds since 1970.
    """

    name: str
    number: int
    path: Path
    state: tuple[int, ...]

    def files(self) -> dict[str, Path]:
        """The bundle's files by their names relative to its folder, sorted.

        What begins with a dot is no part of it; nor are, beside a flat bundle, the
        model's other versions.

        Raises:
            OSError: the folder is gone, or cannot be read.
        """
        found: dict[str, Path] = {}
        for parent, folders, names in os.walk(self.path, onerror=_raise):
            beside_versions = not self.number and Path(parent) == self.path
            folders[:] = [
                folder
                for folder in folders
                if not folder.startswith(".")
                and not (beside_versions and _VERSION.fullmatch(folder))
            ]
            for path in (Path(parent, name) for name in names):
                if not path.name.startswith(".") and path.is_file():
                    found[path.relative_to(self.path).as_posix()] = path
        return dict(sorted(found.items()))


class ModelStore:
    """Bundles on disk, versioned.

    A label (``stable``, ``canary``) is a name for a version that can be moved: a file
    ``<name>/.labels/<label>`` that holds the version's number, replaced by one rename.
    Who changes labels or deletes holds the model's folder alone meanwhile, so that no
    label is left that points to a version which was deleted beside it. Who publishes
    or reads waits for nobody.

    Args:
        root: the folder that holds ``<name>/<version>/``; made when first written.
        keep: versions without a label that are left of a model when another is
            published, the oldest go first; 0 keeps all. A version that a label points
            to, and a flat bundle put by hand, always stay.
    """

    def __init__(self, root: Path, keep: int = 0) -> None:
        self.root = root
        self._keep = keep
        self._staging = Staging(root)
        self._trash = root / ".trash"

    def sweep(self) -> None:
        """Remove what crashes left in staging and trash; call it when starting."""
        self._staging.sweep()
        shutil.rmtree(self._trash, ignore_errors=True)

    def names(self) -> list[str]:
        """Every model's name, sorted."""
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
            return True  # it cannot be read, which whoever lists it should see

    def versions(self, name: str) -> list[int]:
        """The versions of a model, lowest first; empty if there is no such model."""
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
            int(entry)
            for entry, is_dir in entries.items()
            if is_dir and _VERSION.fullmatch(entry)
        )
        return [0, *numbers] if PARAMS in entries else numbers

    def current(self, name: str) -> Version:
        """The version that is served: the one labelled stable, else the newest.

        Raises:
            ModelNotFound: the store has no model of this name.
        """
        return self.pointed(name, STABLE) or self.newest(name)

    def find(
        self, name: str, number: int | None = None, label: str | None = None
    ) -> Version:
        """A version by its number, or by its label, or the one that is served.

        Raises:
            ModelNotFound: there is none.
        """
        if number is not None:
            return self.version(name, number)
        if label is not None:
            return self.labelled(name, label)
        return self.current(name)

    def newest(self, name: str) -> Version:
        """The highest version, whatever the labels say.

        Raises:
            ModelNotFound: the store has no model of this name.
        """
        # A version may be deleted between the listing and the look at it; each turn
        # sees the store as it then is, and ends unless somebody deletes forever.
        for _ in range(100):
            numbers = self.versions(name)
            if not numbers:
                break
            with contextlib.suppress(ModelNotFound):
                return self.version(name, numbers[-1])
        raise _no_model(name)

    def labelled(self, name: str, label: str) -> Version:
        """The version that a label points to.

        Raises:
            ModelNotFound: there is no such model, or it has no such label.
        """
        if version := self.pointed(name, label):
            return version
        self.newest(name)
        raise ModelNotFound(f"model {name!r} has no label {label[:64]!r}")

    def pointed(self, name: str, label: str) -> Version | None:
        """The version that a label points to; None if it points to none."""
        before = None
        while True:
            number = self._read_label(name, label)
            # The same as before: somebody took the version away by hand.
            if number is None or number == before:
                return None
            with contextlib.suppress(ModelNotFound):
                return self.version(name, number)
            # Moved, and its version deleted, in between: look again.
            before = number

    def labels(self, name: str) -> dict[str, int]:
        """Each label's version number, by label, sorted; empty if there are none."""
        if not MODEL_NAME.fullmatch(name):
            return {}
        try:
            found = sorted(p.name for p in (self.root / name / _LABELS).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as ex:
            raise _store_error("read", ex) from ex
        numbers = {label: self._read_label(name, label) for label in found}
        return {label: n for label, n in numbers.items() if n is not None}

    def set_label(self, name: str, label: str, number: int) -> None:
        """Point a label to a version, or move it there.

        Raises:
            ModelNotFound: there is no such version.
            ConflictError: ``label`` is no name for a label.
            StoreError: the disk would not.
        """
        if not LABEL_NAME.fullmatch(label):
            raise ConflictError(f"{label[:64]!r} is no name for a label: {LABEL_RULE}")
        with self._alone(name):
            self.version(name, number)
            folder = self.root / name / _LABELS
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            for left in folder.glob(".*"):  # by one that was killed here
                left.unlink()
            replace_file(folder / label, b"%d\n" % number)
        logger.info("%s label %s is version %d", name, label, number)

    def delete_label(self, name: str, label: str) -> int:
        """Take a label away; its version stays.

        Returns:
            The version's number.

        Raises:
            ModelNotFound: there is no such model, or it has no such label.
            StoreError: the disk would not.
        """
        with self._alone(name):
            number = self._read_label(name, label)
            if number is None:
                raise ModelNotFound(f"model {name!r} has no label {label[:64]!r}")
            folder = self.root / name / _LABELS
            (folder / label).unlink()
            sync(folder)
        logger.info("%s label %s is deleted", name, label)
        return number

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Hold a model's folder while its labels change or versions of it go.

        Raises:
            ModelNotFound: there is none of this name.
            StoreError: the disk would not, or somebody else holds it for too long.
        """
        try:
            with contextlib.ExitStack() as held:
                while True:
                    self.newest(name)
                    # Deleted since, and perhaps published anew: look again.
                    with contextlib.suppress(FileNotFoundError):
                        held.enter_context(locked(self.root / name))
                        break
                yield
        except OSError as ex:
            raise _store_error("written", ex) from ex

    def _read_label(self, name: str, label: str) -> int | None:
        if not MODEL_NAME.fullmatch(name) or not LABEL_NAME.fullmatch(label):
            return None
        try:
            # Read on every request: without a buffer, that is four system calls.
            path = self.root / name / _LABELS / label
            with path.open("rb", buffering=0) as stream:
                text = stream.read(20)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as ex:
            raise _store_error("read", ex) from ex
        # Put by hand and wrong, it is no label.
        return int(text) if text.strip().isdigit() and len(text) < 20 else None

    def version(self, name: str, number: int) -> Version:
        """One version, by its number.

        Raises:
            ModelNotFound: it is not there.
        """
        # The name may be a client's, and a path is made of it.
        if not MODEL_NAME.fullmatch(name):
            raise _no_model(name)
        folder = self.root / name
        shown = str(number) if abs(number) < 10**18 else "of that number"  # as _VERSION
        path = folder / shown if number else folder
        try:
            if number < 0:
                raise FileNotFoundError
            if not number:
                (path / PARAMS).stat()
            return Version(name, number, path, _state(path))
        except (FileNotFoundError, NotADirectoryError):
            if not self.versions(name):
                raise _no_model(name) from None
            raise ModelNotFound(f"model {name!r} has no version {shown}") from None
        except OSError as ex:
            raise _store_error("read", ex) from ex

    def install(
        self,
        write: Callable[[Path], None],
        check: Callable[[Bundle], None] = lambda bundle: None,
    ) -> Version:
        """Publish a bundle as the next version of the model its params.json names.

        Args:
            write: fills an empty folder with the bundle's files.
            check: looks at the bundle before anybody else sees it; may raise.

        Returns:
            The version; it is the served one from now on if no version is labelled
            stable.

        Raises:
            BundleError: what was written is no whole bundle. Whatever is raised,
                nothing has changed.
            StoreError: the disk is full or not writable.
        """
        try:
            with self._staging.folder() as staged:
                write(staged)
                verify_manifest(staged)
                bundle = open_bundle(staged)
                check(bundle)
                sync_tree(staged)
                # A rename keeps it; afterwards, somebody may have deleted the model.
                state = _state(staged)
                number = self._publish(staged, bundle.params.name)
        except OSError as ex:
            raise _store_error("written", ex) from ex
        logger.info("published %s version %d", bundle.params.name, number)
        self._trim(bundle.params.name)
        published = self.root / bundle.params.name / str(number)
        return Version(bundle.params.name, number, published, state)

    def delete(self, name: str) -> None:
        """Delete a model with all its versions.

        Raises:
            ModelNotFound: there is none of this name.
            StoreError: the disk would not.
        """
        with self._graves() as bury, self._alone(name):
            bury(self.root / name)
            sync(self.root)
        logger.info("deleted %s", name)

    def delete_version(self, name: str, number: int) -> None:
        """Delete one version of a model.

        Raises:
            ModelNotFound: it is not there.
            ConflictError: a label points to it, or it is a flat bundle put by hand.
            StoreError: the disk would not.
        """
        with self._graves() as bury, self._alone(name):
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
            bury(folder / str(number))
            sync(folder)
            if not self.versions(name):
                # Of the labels, what is left there points to nothing.
                shutil.rmtree(folder / _LABELS, ignore_errors=True)
                _remove_if_empty(folder)
        logger.info("deleted %s version %d", name, number)

    def _trim(self, name: str) -> None:
        """Delete the oldest versions without a label, down to ``keep`` of them."""
        if not self._keep:
            return
        try:
            with self._graves() as bury, self._alone(name):
                labelled = set(self.labels(name).values())
                numbers = [n for n in self.versions(name) if n and n not in labelled]
                for number in numbers[: -self._keep]:
                    bury(self.root / name / str(number))
                    logger.info("trimmed %s version %d", name, number)
                sync(self.root / name)
        except ModelNotFound:
            pass  # deleted already, with all its versions
        except StoreError as ex:  # what was published stays published
            logger.warning("%s: old versions cannot be deleted: %s", name, ex)

    @contextlib.contextmanager
    def _graves(self) -> Iterator[Callable[[Path], None]]:
        """Give a function that takes a folder out of the store by ONE rename.

        What it took is removed at the end, when nobody waits for the model's lock.
        """
        graves: list[Path] = []

        def bury(folder: Path) -> None:
            graves.append(self._trash / uuid.uuid4().hex)
            while True:
                with contextlib.suppress(FileExistsError):
                    self._trash.mkdir()
                try:
                    folder.rename(graves[-1])
                    return
                except FileNotFoundError:
                    # The end of another delete may have taken the trash away.
                    if not folder.is_dir():
                        raise

        try:
            yield bury
        finally:
            for grave in graves:
                _remove_tree(grave)
            if graves:
                _remove_if_empty(self._trash)

    def _publish(self, staged: Path, name: str) -> int:
        folder = self.root / name
        number = 0
        while True:
            number = max(number, *self.versions(name), 0) + 1
            published = folder / str(number)
            try:
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                staged.rename(published)
            except OSError as ex:
                # Somebody else published this number, or a stray file has it: the next.
                if ex.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    continue
                if ex.errno == errno.ENOTDIR and folder.is_dir():
                    continue
                # Somebody deleted the whole model: from one again.
                if ex.errno == errno.ENOENT and staged.is_dir():
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


def _raise(error: OSError) -> None:
    raise error


def _no_model(name: str) -> ModelNotFound:
    return ModelNotFound(
        f"there is no model {name[:128]!r}; GET /models lists those there are"
    )


def _state(folder: Path) -> tuple[int, ...]:
    status = folder.stat()
    try:
        # The folder's own time is too coarse: it steps by 4 ms on Linux, and the
        # exporter may add model.onnx within the step that somebody saw it without.
        onnx = (folder / ONNX).stat()
    except FileNotFoundError:
        return (status.st_ino, status.st_mtime_ns)
    return (status.st_ino, status.st_mtime_ns, onnx.st_ino, onnx.st_mtime_ns)


def _remove_tree(folder: Path) -> None:
    # Versions whose publication was under way may follow their model's folder into the
    # grave, each behind the back of one turn.
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _store_error(done: str, ex: OSError) -> StoreError:
    return StoreError(f"the store cannot be {done}: {ex.strerror}")
