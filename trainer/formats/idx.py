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
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bundle.leftovers import is_leftover
from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import MAX_BYTES, opened, read_content, read_head
from trainer.formats.emnist import classes_of
from trainer.formats.parts import SPELLINGS
from trainer.images import Images
from trainer.stored_images import ImageWriter

MAGIC = b"\x00\x00\x08"

# Two spellings are common: train-images-idx3-ubyte and train-images.idx3-ubyte.
_NAME = re.compile(
    r"(?:(.+)[-_])?(train|t10k|test)[-_](images|labels)[-.]idx[13]-ubyte(?:\.gz)?",
    re.IGNORECASE,
)
_AXES = {"images": 3, "labels": 1}
# About so many bytes of images are read at a time.
_PIECE = 1 << 22

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


def read_idx(path: Path, max_bytes: int) -> Arrays:
    """Read the four files.

    Args:
        path: their folder, or any one of them.
        max_bytes: images of more bytes are kept on disk.

    Returns:
        Images ``(N, H, W)`` uint8 and labels ``(N,)`` of both parts. EMNIST's labels
        have names, if its file ``emnist-…-mapping.txt`` lies beside them.

    Raises:
        DataError: a file is missing, damaged or cut short, or contradicts its name; or
            the folder holds several data sets.
        WriteFailed: the disk refuses the images.
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
        _named(folder, stem, found, part, content)
        for part in ("train", "test")
        for content in ("images", "labels")
    )
    shapes = [_shape(path, _AXES["images"]) for path in (images, test_images)]
    on_disk = sum(map(math.prod, shapes)) > max_bytes
    is_emnist = stem.startswith(_TRANSPOSED)
    x_train, x_test = (
        _read_images(path, shape, on_disk=on_disk, by_column=is_emnist)
        for path, shape in zip((images, test_images), shapes, strict=True)
    )
    y_train, y_test = map(_read_labels, (labels, test_labels))
    if not is_emnist:
        return Arrays(x_train, y_train, x_test, y_test)
    classes = classes_of(folder / f"{stem}-mapping.txt")
    if classes is None:
        return Arrays(x_train, y_train, x_test, y_test, notes=(_TURNED,))
    return Arrays(
        x_train,
        classes.numbers(y_train, labels),
        x_test,
        classes.numbers(y_test, test_labels),
        classes.names,
        (_TURNED,),
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


def _shape(path: Path, axes: int) -> tuple[int, ...]:
    """Read the shape in a file's header.

    Raises:
        DataError: the file is empty, or cut short, or of another kind.
    """
    start = _header_size(axes)
    head = read_head(path, start)
    if not head:
        raise DataError(f"{path} is empty; fetch it again")
    if not head.startswith(MAGIC + bytes([axes])):
        raise DataError(
            f"{path} is not an IDX file of {'images' if axes == 3 else 'labels'};"
            " fetch it again"
        )
    if len(head) < start:
        raise DataError(f"{path} is cut short; fetch it again")
    return struct.unpack(f">{axes}I", head[4:start])


def _header_size(axes: int) -> int:
    return 4 + 4 * axes


def _read_images(
    path: Path, shape: tuple[int, ...], *, on_disk: bool, by_column: bool
) -> Images:
    """Read images in pieces, ``(N, H, W)`` uint8."""
    count, *sides = shape
    each = math.prod(sides)
    if not count or not 0 < each <= MAX_BYTES:
        raise DataError(
            f"{path} is damaged: its header says {shape}, which no images have; fetch"
            " it again"
        )
    stored = (sides[1], sides[0]) if by_column else (sides[0], sides[1])
    writer = ImageWriter(count, stored, np.dtype(np.uint8), on_disk=on_disk)
    step = max(1, _PIECE // each)
    came = 0
    with opened(path) as stream:
        stream.read(_header_size(_AXES["images"]))
        while came < count * each:
            wanted = min(step, count - came // each) * each
            piece = _exactly(stream, wanted)
            came += len(piece)
            if len(piece) < wanted:
                raise _of_another_size(path, str(came), shape)
            images = np.frombuffer(piece, np.uint8).reshape(-1, *sides)
            writer.add(images.transpose(0, 2, 1) if by_column else images)
        if stream.read(1):
            raise _of_another_size(path, f"more than {came}", shape)
    return writer.finish()


def _exactly(stream: BufferedIOBase, size: int) -> bytes:
    """Read so many bytes, or fewer if the file ends before."""
    content = bytearray()
    while piece := stream.read(min(size - len(content), _PIECE)):
        content += piece
    return bytes(content)


def _read_labels(path: Path) -> NDArray[np.uint8]:
    shape, start = _shape(path, _AXES["labels"]), _header_size(_AXES["labels"])
    content = read_content(path)[start:]
    if len(content) != shape[0]:
        raise _of_another_size(path, str(len(content)), shape)
    return np.frombuffer(content, np.uint8)


def _of_another_size(path: Path, held: str, shape: tuple[int, ...]) -> DataError:
    return DataError(
        f"{path} holds {held} bytes of data and its header says {math.prod(shape)};"
        " fetch it again"
    )
