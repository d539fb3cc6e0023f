"""IDX: the format that MNIST is published in, four files that belong together.

A file is its magic number (two zeros, the type 8 for uint8, the number of axes), the
length of each axis as a big-endian uint32, and the bytes.

Source: the description on http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import read_content

MAGIC = b"\x00\x00\x08"

# Both spellings go round: train-images-idx3-ubyte and train-images.idx3-ubyte.
_NAME = re.compile(r"(train|t10k)-(images|labels)[-.](idx[13])-ubyte(\.gz)?")
_SPELLINGS = (
    "{part}-{content}-{axes}-ubyte",
    "{part}-{content}.{axes}-ubyte",
)
_AXES = {"images": "idx3", "labels": "idx1"}


def is_idx_name(name: str) -> bool:
    """Whether a file is one of the four, by its name."""
    return _NAME.fullmatch(name) is not None


def read_idx(path: Path) -> Arrays:
    """Read the four files.

    Args:
        path: their folder, or any one of them.

    Raises:
        DataError: one is missing, damaged or cut short, or is not what its name says.
    """
    if path.is_dir():
        return _read_four(path, {})
    match = _NAME.fullmatch(path.name)
    if not match:
        raise DataError(
            f"{path} is an IDX file whose name does not tell the other three; name it"
            " as MNIST does: train-images-idx3-ubyte"
        )
    part, content = match.group(1, 2)
    return _read_four(path.parent, {(part, content): path})


def _read_four(folder: Path, given: dict[tuple[str, str], Path]) -> Arrays:
    paths = [
        given.get((part, content)) or _find(folder, part, content)
        for part in ("train", "t10k")
        for content in ("images", "labels")
    ]
    images, labels, test_images, test_labels = paths
    return Arrays(
        _read_file(images, axes=3),
        _read_file(labels, axes=1),
        _read_file(test_images, axes=3),
        _read_file(test_labels, axes=1),
    )


def _find(folder: Path, part: str, content: str) -> Path:
    axes = _AXES[content]
    for spelling in _SPELLINGS:
        name = spelling.format(part=part, content=content, axes=axes)
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise DataError(
        f"{folder} lacks {part}-{content}-{axes}-ubyte (or the same with .gz); the four"
        " IDX files must lie in one folder"
    )


def _read_file(path: Path, axes: int) -> NDArray[np.uint8]:
    content = read_content(path)
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
    except ValueError as ex:  # of a size of nothing, the other axes may be any
        raise DataError(
            f"{path} holds nothing, and its header says {shape}; fetch it again"
        ) from ex
