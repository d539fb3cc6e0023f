"""A reader of IDX, MNIST's own format: four files that belong together.

A file begins with a magic number (two zeros, the type 8 for uint8, the number of axes).
The length of each axis follows as a big-endian uint32, and then the data. Fashion-MNIST
and KMNIST have MNIST's file names. EMNIST adds its own name and the set's name before
them.

Source: the description on http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bundle.leftovers import is_leftover
from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import MAX_BYTES, read_content
from trainer.formats.parts import SPELLINGS

MAGIC = b"\x00\x00\x08"

# Two spellings are common: train-images-idx3-ubyte and train-images.idx3-ubyte.
_NAME = re.compile(
    r"(?:(.+)[-_])?(train|t10k|test)[-_](images|labels)[-.]idx[13]-ubyte(?:\.gz)?",
    re.IGNORECASE,
)
_AXES = {"images": 3, "labels": 1}

# EMNIST stores its pixels column by column, so its pictures come out mirrored and
# turned by a quarter. A model trained on such pictures cannot read upright writing.
# Source: the note on https://www.tensorflow.org/datasets/catalog/emnist.
_TRANSPOSED = "emnist"
_TURNED = (
    "EMNIST's images are stored by column and were transposed, so that they stand"
    " upright"
)


@dataclass(frozen=True)
class _File:
    """One of the four files, with the parts of its name.

    Attributes:
        stem: the text before the part's name, such as ``emnist-letters``; or empty.
        part: ``train`` or ``test``.
        content: ``images`` or ``labels``.
    """

    path: Path
    stem: str
    part: str
    content: str

    @property
    def rank(self) -> tuple[bool, bool, str]:
        """A sort key; if a file is there in several spellings, the first is read."""
        name = self.path.name.lower()
        return ".idx" in name, name.endswith(".gz"), name


def is_idx_name(name: str) -> bool:
    """Tell whether a file of this name is one of the four."""
    return not is_leftover(name) and _NAME.fullmatch(name) is not None


def read_idx(path: Path, max_bytes: int = MAX_BYTES) -> Arrays:
    """Read the four files.

    Args:
        path: their folder, or any one of them.
        max_bytes: the most bytes of each file, unpacked.

    Returns:
        Images ``(N, H, W)`` uint8 and labels ``(N,)`` uint8 of both parts.

    Raises:
        DataError: a file is missing, damaged or cut short, or contradicts its name; or
            the folder holds several data sets.
    """
    if path.is_dir():
        files = _files(path)
        stems = sorted({file.stem for file in files})
        if len(stems) > 1:
            sets = ", ".join(f"{stem}-…" if stem else "train-…" for stem in stems)
            raise DataError(
                f"{path} holds {len(stems)} data sets, {sets}; give any file of the one"
                f" that is meant, such as {files[0].path}"
            )
        return _read_four(path, stems[0], files, max_bytes)
    given = _file(path)
    if given is None:
        raise DataError(
            f"{path} is an IDX file whose name does not tell the other three; name it"
            " as MNIST does: train-images-idx3-ubyte"
        )
    beside = [file for file in _files(path.parent) if file.stem == given.stem]
    return _read_four(path.parent, given.stem, [given, *beside], max_bytes)


def _files(folder: Path) -> list[_File]:
    """List a folder's IDX files, sorted by ``_File.rank`` within a data set."""
    try:
        paths = [path for path in folder.iterdir() if path.is_file()]
    except OSError as ex:
        raise DataError(f"{folder} cannot be read: {ex.strerror}") from ex
    files = [file for path in paths if (file := _file(path))]
    return sorted(files, key=lambda file: (file.stem, *file.rank))


def _file(path: Path) -> _File | None:
    match = _NAME.fullmatch(path.name)
    if match is None or is_leftover(path.name):
        return None
    stem, part, content = match.group(1, 2, 3)
    return _File(path, (stem or "").lower(), SPELLINGS[part.lower()], content.lower())


def _read_four(
    folder: Path, stem: str, files: Iterable[_File], max_bytes: int
) -> Arrays:
    found: dict[tuple[str, str], Path] = {}
    for file in files:
        found.setdefault((file.part, file.content), file.path)
    images, labels, test_images, test_labels = (
        _read_file(
            _named(folder, stem, found, part, content), _AXES[content], max_bytes
        )
        for part in ("train", "test")
        for content in ("images", "labels")
    )
    if not stem.startswith(_TRANSPOSED):
        return Arrays(images, labels, test_images, test_labels)
    return Arrays(
        images.transpose(0, 2, 1),
        labels,
        test_images.transpose(0, 2, 1),
        test_labels,
        notes=(_TURNED,),
    )


def _named(
    folder: Path,
    stem: str,
    found: dict[tuple[str, str], Path],
    part: str,
    content: str,
) -> Path:
    if path := found.get((part, content)):
        return path
    # MNIST itself calls the test part t10k.
    spelt = "t10k" if part == "test" and not stem else part
    name = f"{f'{stem}-' if stem else ''}{spelt}-{content}-idx{_AXES[content]}-ubyte"
    raise DataError(
        f"{folder} lacks {name} (or the same with .gz); the four IDX files must lie in"
        " one folder"
    )


def _read_file(path: Path, axes: int, max_bytes: int) -> NDArray[np.uint8]:
    content = read_content(path, max_bytes)
    start = 4 + 4 * axes
    if not content:
        raise DataError(f"{path} is empty; fetch it again")
    if not content.startswith(MAGIC + bytes([axes])):
        raise DataError(
            f"{path} is not an IDX file of {'images' if axes == 3 else 'labels'};"
            " fetch it again"
        )
    if len(content) < start:
        raise DataError(f"{path} is cut short; fetch it again")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{path} holds {len(content) - start} bytes of data and its header says"
            f" {math.prod(shape)}; fetch it again"
        )
    try:
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
    except ValueError as ex:  # one length is 0, and another length is too large
        raise DataError(
            f"{path} holds nothing, and its header says {shape}; fetch it again"
        ) from ex
