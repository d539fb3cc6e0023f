"""A version of a model: a folder of the store, named by its number."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.bare import MODELS, SAVED_MODEL_FOLDER
from bundle.params import FILE_NAME as PARAMS
from bundle.variants import DATA, VARIANTS, onnx_file

_ONNX_FILES = (onnx_file() + DATA, *(onnx_file(variant) for variant in VARIANTS))

# One of these files makes a folder a bundle. The first that is there marks the bundle.
MARKS = (PARAMS, *MODELS)

# The name has digits only, and no leading zero, like a version of Triton's repository.
VERSION_NAME = re.compile(r"[1-9][0-9]{0,17}")
# TensorFlow Serving takes leading zeros, because its early exporters wrote 00000123.
VERSION_FOLDER = re.compile(r"(?=[0-9]{1,18}$)0*[1-9][0-9]*")


@dataclass(frozen=True)
class Version:
    """One version of one model in the store.

    Attributes:
        number: 1, 2, 3 …; 0 is a flat TFaaS bundle that was put by hand at ``<name>/``.
        state: numbers that change when the folder is replaced, or gains or loses
            model.onnx, its data or a variant. They also change when a number is used
            again after a delete. The second number is the time of the folder's last
            change, in nanoseconds since 1970.
    """

    name: str
    number: int
    path: Path
    state: tuple[int, ...]

    def files(self) -> dict[str, Path]:
        """List the bundle's files by their names relative to its folder, sorted.

        Files and folders whose names begin with a dot are left out. So are a model's
        versions that lie beside a flat bundle. Links are followed, because the engines
        that read the folder follow them too.

        Raises:
            OSError: the folder is gone, or cannot be read.
        """
        found = {
            path.relative_to(self.path).as_posix(): path
            for path in _files(self.path, is_flat=not self.number)
        }
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Away:
    """A version that an object store has, and this machine not yet.

    Attributes:
        created: the time of its publication, in ISO 8601.
        params: the content of params.json.
        files: the bytes of its files, by name.
    """

    number: int
    created: str
    params: Mapping[str, Any]
    files: Mapping[str, int]


def state_of(folder: Path) -> tuple[int, ...]:
    """Make the numbers of ``Version.state`` for a version's folder.

    Raises:
        OSError: the folder is not there, or cannot be read.
    """
    status = folder.stat()
    # The folder's own time is too coarse. It advances in steps of 4 ms on Linux, and
    # the exporter may add model.onnx in the same step in which somebody read the state.
    return (status.st_ino, status.st_mtime_ns, *_states_of_onnx(folder))


def touch(model: Path) -> None:
    """Change the time of a model's folder, so that services look at it again.

    The time changes by itself when a version is added or removed. A change inside a
    version needs this call.
    """
    with contextlib.suppress(OSError):  # it was deleted, or another user owns it
        os.utime(model)


def origin_of(folder: Path) -> tuple[int, ...]:
    """Make a mark of a version's bundle; a later bundle of its number has another.

    The mark stays the same when ONNX is added to the bundle, or removed from it.

    Raises:
        OSError: the folder is not there, or cannot be read.
    """
    status = mark_of(folder).stat()
    # An inode's number may be used again, but nobody can set its time of change.
    return (folder.stat().st_ino, status.st_ino, status.st_ctime_ns)


def mark_of(folder: Path) -> Path:
    """Return the file that makes a folder a bundle: params.json, or a bare model's own.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in MARKS:
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(folder)


def model_folder(version: Path) -> Path:
    """Return the folder of a version's files: Triton's lie one folder deeper."""
    deeper = version / SAVED_MODEL_FOLDER
    if deeper.is_dir() and not any((version / name).exists() for name in MARKS):
        return deeper
    return version


def version_folder(model: Path, number: str) -> Path:
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


def version_of(folder: Path) -> Path | None:
    """Return the version, ``NAME/<n>``, whose files are in a folder; None if in none.

    It is the inverse of ``model_folder``.
    """
    folder = folder.resolve()
    if folder.name == SAVED_MODEL_FOLDER:
        folder = folder.parent
    return folder if folder.name.isdecimal() else None


def _states_of_onnx(folder: Path) -> Iterator[int]:
    for name in _ONNX_FILES:
        try:
            status = (folder / name).stat()
        except FileNotFoundError:
            continue
        yield status.st_ino
        yield status.st_mtime_ns


def _files(
    folder: Path, above: tuple[tuple[int, int], ...] = (), *, is_flat: bool = False
) -> Iterator[Path]:
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return  # a link leads back to a folder above
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if not (is_flat and VERSION_FOLDER.fullmatch(entry.name)):
                    yield from _files(Path(entry.path), (*above, here))
            elif entry.is_file():
                yield Path(entry.path)
