"""The state of the store's conversions to ONNX, kept on disk for all processes.

``models/.conversions/<name>.<number>.json`` tells that a version is being converted, or
why it cannot be. The process that converts holds the store's folder; one process does
so at a time. The kernel frees the folder when that process ends, however it ends, and
then no version is being converted, whatever the file says. No list of waiting versions
is written: every version without model.onnx waits. So a crash loses none of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bundle import __version__
from bundle.errors import BundleError, DomainError, ModelNotFound, StoreError
from bundle.folder import ONNX, VARIABLES, Bundle, open_bundle
from bundle.parity import Parity
from bundle.staging import replace_file
from bundle.store import ModelStore
from bundle.version import Version, mark_of
from runtime.config import Config
from runtime.models.model import Model
from runtime.walls import standing

FOLDER_NAME = ".conversions"


@dataclass(frozen=True)
class _Record:
    """The content of one version's file.

    Attributes:
        source: the source that was converted; the file says nothing of another source.
        tried: the exporters, with their limits, that tried it. Each tries a version
            once. So services that differ and share a store do not take turns for ever.
        reason: the reason why the last of them failed; empty while it works.
    """

    source: str
    tried: tuple[str, ...]
    reason: str = ""


class Conversions:
    """The conversions of one store.

    Args:
        store: the store of the versions.
        config: the settings ``exportOnUpload``, its limits, and ``onnx``.
        release: this project's release: another one may convert where this one failed.
        is_own: tells whether a version is this machine's to convert; another one
            converts it otherwise.
    """

    def __init__(
        self,
        store: ModelStore,
        config: Config,
        release: str = __version__,
        is_own: Callable[[Version], bool] = lambda version: True,
    ) -> None:
        self._store = store
        self._is_own = is_own
        self._folder = store.root / FOLDER_NAME
        self._is_onnx_off = config.onnx == "off"
        self.is_on = (
            config.export_on_upload == "auto"
            and not self._is_onnx_off
            and (config.walls != "require" or standing().is_whole)
            # tf2onnx is not imported, because that would import TensorFlow.
            and find_spec("tf2onnx") is not None
        )
        self._exporter = f"{_exporter(release)}, {config.export_seconds} s," + (
            f" {config.export_bytes} bytes"
        )

    def wanted(self) -> list[Version]:
        """Return the versions that are still to be converted, the most needed first.

        Served versions come first, then labelled ones, then the rest; newest first.

        Raises:
            StoreError: the store cannot be read.
        """
        if not self.is_on:
            return []
        found: list[tuple[bool, bool, int, Version]] = []
        for name in self._store.names():
            # A model that cannot be read must not hide the others.
            with contextlib.suppress(ModelNotFound, StoreError):
                found += self._wanted_of(name)
        return [version for *_, version in sorted(found, key=lambda entry: entry[:3])]

    def _wanted_of(self, name: str) -> Iterator[tuple[bool, bool, int, Version]]:
        labelled = set(self._store.labels(name).values())
        # Version 0 was put there by hand, and not uploaded: its folder is a person's.
        for number in filter(None, self._store.versions(name)):
            with contextlib.suppress(ModelNotFound, BundleError, StoreError):
                version = self._store.version(name, number)
                if self._is_wanted(version):
                    is_served = self._store.current(name).number == number
                    place = (not is_served, number not in labelled)
                    yield *place, -version.state[1], version

    def _is_wanted(self, version: Version) -> bool:
        if (version.path / ONNX).exists() or not _is_writable(version):
            return False
        if not self._is_own(version):
            return False
        source = _source_of(open_bundle(version.path))
        record = _read(self._path(version))
        if record is None or record.source != source:
            return bool(source)
        return not record.reason or self._exporter not in record.tried

    @contextlib.contextmanager
    def alone(self) -> Iterator[int]:
        """Be the one process that converts; wait until another one ends.

        Yields:
            The lock's file descriptor; a process that inherits it holds the lock, too.

        Raises:
            OSError: the store's folder cannot be opened.
        """
        descriptor = os.open(self._store.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def begin(self, version: Version) -> None:
        """Note that a version is being converted; call it only in ``alone``.

        Raises:
            BundleError: the version is not a bundle any more.
            OSError: the note cannot be written.
        """
        source = _source_of(open_bundle(version.path))
        before = _read(self._path(version))
        tried = before.tried if before and before.source == source else ()
        for path in self._notes():
            # An interrupted conversion's note would tell that it still runs.
            if (other := _read(path)) and not other.reason:
                path.unlink()
        self._write(version, _Record(source, tried))

    def fail(self, version: Version, reason: str) -> None:
        """Note why a version whose conversion began has no ONNX.

        Raises:
            BundleError: the version is not a bundle any more.
            OSError: the note cannot be written.
        """
        begun = _read(self._path(version))
        if begun is None:  # somebody removed the note; without one, tries never end
            begun = _Record(_source_of(open_bundle(version.path)), ())
        tried = dict.fromkeys((*begun.tried, self._exporter))
        self._write(version, _Record(begun.source, tuple(tried), reason))

    def is_littered(self) -> bool:
        """Tell whether there is something to sweep."""
        return any(map(self._is_litter, self._notes()))

    def sweep(self) -> None:
        """Remove the notes about versions that have their ONNX, or are gone.

        Call it only in the process that is ``alone``.
        """
        for path in filter(self._is_litter, self._notes()):
            with contextlib.suppress(OSError):
                path.unlink()
        with contextlib.suppress(OSError):  # some notes remain in it
            self._folder.rmdir()

    def _is_litter(self, path: Path) -> bool:
        name, _, number = path.stem.rpartition(".")
        try:
            version = self._store.version(name, int(number))
            return (version.path / ONNX).exists()
        except (ModelNotFound, ValueError):
            return True
        except (OSError, DomainError):
            return False

    def state(
        self,
        version: Version,
        bundle: Bundle,
        parity: Parity | None,
        model: Model | None,
    ) -> str:
        """Describe a version for people: it has ONNX, or will have, or why it has not.

        Args:
            version: the version.
            bundle: the version's bundle as it is on disk.
            parity: the parity of the ONNX that serves, or else of model.onnx.
            model: the version's model, if it is loaded here.

        Returns:
            ``onnx (parity 3.1e-7)`` or ``onnx (unproved)``; ``converting``; or
            ``tensorflow: `` and the reason.
        """
        if model is not None and model.backend.name == "onnxruntime":
            return _proved(parity if model.is_proved else None)
        if self._is_onnx_off:
            return "tensorflow: config.json's 'onnx' is 'off'"
        if bundle.onnx is not None:
            if model is not None:
                return f"tensorflow: {model.fallback_reason}"
            if parity is None or parity.passed:
                return _proved(parity)
            return f"tensorflow: {ONNX} failed its parity check"
        record = _read(self._path(version))
        if record is not None and record.source == _source_of(bundle):
            if record.reason:
                return f"tensorflow: {record.reason}"
            if self._is_held():
                return "converting"
        if self.is_on and version.number and not self._is_own(version):
            return "tensorflow: the machine that published it converts it"
        if self.is_on and version.number:
            if version.path.exists() and not _is_writable(version):
                return f"tensorflow: there is no {ONNX}, and its folder is read-only"
            return "tensorflow: it is not converted yet"
        return f"tensorflow: there is no {ONNX}; make it with: exporter convert"

    def _is_held(self) -> bool:
        try:
            descriptor = os.open(self._store.root, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False
        try:
            # The lock is shared and freed at once: a process that waits for it gets it.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _path(self, version: Version) -> Path:
        return self._folder / f"{version.name}.{version.number}.json"

    def _notes(self) -> list[Path]:
        try:
            return [*self._folder.glob("*.json")]
        except OSError:
            return []

    def _write(self, version: Version, record: _Record) -> None:
        with contextlib.suppress(FileExistsError):
            self._folder.mkdir()
        content = json.dumps(asdict(record), indent=2) + "\n"
        replace_file(self._path(version), content.encode())


def _read(path: Path) -> _Record | None:
    try:
        content = json.loads(path.read_bytes())
        tried = tuple(map(str, content["tried"]))
        return _Record(str(content["source"]), tried, str(content["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # there is no note, or somebody changed it by hand


def _is_writable(version: Version) -> bool:
    return os.access(version.path, os.W_OK)


def _exporter(release: str) -> str:
    try:
        return f"tfaas-onnx {release}, tf2onnx {importlib.metadata.version('tf2onnx')}"
    except importlib.metadata.PackageNotFoundError:
        return f"tfaas-onnx {release}"


def _source_of(bundle: Bundle) -> str:
    """Return a text that tells a bundle's TensorFlow model from others.

    It is made of sizes and times, and not of a digest, because it is needed often, and
    models have gigabytes. It is empty without a TensorFlow model.
    """
    if bundle.tensorflow_model is None:
        return ""
    folder = bundle.path
    weights = (folder / VARIABLES).parent.glob("*")
    try:
        files = (mark_of(folder), bundle.tensorflow_model, *sorted(weights))
        statuses = [(path.name, path.stat()) for path in files]
        # The folder counts too: a number may be used again, for the same bundle.
        return f"{folder.stat().st_ino} " + " ".join(
            f"{name}:{status.st_size}:{status.st_mtime_ns}" for name, status in statuses
        )
    except OSError as ex:
        raise BundleError(f"the bundle cannot be read: {ex.strerror}") from ex


def _proved(parity: Parity | None) -> str:
    if parity is None:
        return "onnx (unproved)"
    largest = np.format_float_scientific(
        parity.max_abs_diff, precision=1, exp_digits=1, trim="0"
    )
    return f"onnx (parity {largest if parity.max_abs_diff else 0})"
