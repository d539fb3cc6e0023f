"""A version of a model: a folder of the store, named by its number."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bundle.params import FILE_NAME as PARAMS
from bundle.variants import DATA, VARIANTS, onnx_file

_ONNX_FILES = (onnx_file() + DATA, *(onnx_file(variant) for variant in VARIANTS))

# No leading zero and nothing but digits, as Triton reads a repository.
VERSION_NAME = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class Version:
    """One version of one model, as it lies in the store.

    Attributes:
        number: 1, 2, 3 …; 0 is a flat TFaaS bundle put by hand at ``<name>/``.
        state: differs whenever the folder is another one or gained or lost
            model.onnx, its data or a variant of it, also when a number is used again
            after a delete. Its second number is when the folder last changed, in
            nanoseconds since 1970.
    """

    name: str
    number: int
    path: Path
    state: tuple[int, ...]

    def files(self) -> dict[str, Path]:
        """The bundle's files by their names relative to its folder, sorted.

        What begins with a dot is no part of it; nor are, beside a flat bundle, the
        model's other versions. Links that somebody put there are followed, as engines
        do that read the folder.

        Raises:
            OSError: the folder is gone, or cannot be read.
        """
        found = {
            path.relative_to(self.path).as_posix(): path
            for path in _files(self.path, is_flat=not self.number)
        }
        return dict(sorted(found.items()))


def state_of(folder: Path) -> tuple[int, ...]:
    """What tells a version's folder from any other, and from itself changed.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    status = folder.stat()
    # The folder's own time is too coarse: it steps by 4 ms on Linux, and the exporter
    # may add model.onnx within the step that somebody saw it without.
    return (status.st_ino, status.st_mtime_ns, *_states_of_onnx(folder))


def touch(model: Path) -> None:
    """Let all who serve a model look at its versions and labels again.

    Its folder gets another time by itself when a version comes or goes, and from here
    when something changes inside of one.
    """
    with contextlib.suppress(OSError):  # it went meanwhile, or is somebody else's
        os.utime(model)


def origin_of(folder: Path) -> tuple[int, ...]:
    """What tells a version's bundle from another that has its number after a delete.

    It stays when ONNX is added to the bundle, or taken from it.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    status = (folder / PARAMS).stat()
    # Numbers of inodes are used again; nobody can set the time of a change.
    return (folder.stat().st_ino, status.st_ino, status.st_ctime_ns)


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
        return  # a link that leads round in a circle
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if not (is_flat and VERSION_NAME.fullmatch(entry.name)):
                    yield from _files(Path(entry.path), (*above, here))
            elif entry.is_file():
                yield Path(entry.path)
