"""sample.npz: a few labelled test images that a bundle carries."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from bundle.decode import MAX_PIXELS
from bundle.errors import BundleError
from bundle.zipball import METHODS, check_apart, open_zip

FILE_NAME = "sample.npz"

# "A few images": 1700 of 224 x 224 in colour. An npz of a megabyte can claim a
# thousand times more.
MAX_BYTES = 1 << 28


@dataclass(frozen=True)
class Sample:
    """A few labelled test images that a bundle carries to try it and to warm it.

    Attributes:
        images: ``(N, H, W, C)`` uint8, raw 0..255 pixels.
        labels: ``(N,)`` int64, indices into the bundle's labels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_sample(folder: Path, max_bytes: int = MAX_BYTES) -> Sample | None:
    """A bundle's ``sample.npz``; None if it carries none.

    ``numpy.load`` makes an array of the size that a file claims before it reads it.
    Here what is claimed is compared with what is there first.

    Args:
        folder: the bundle's.
        max_bytes: of what it unpacks to.

    Raises:
        BundleError: it is there and is not a sample.
    """
    try:
        with (folder / FILE_NAME).open("rb") as stream, open_zip(stream) as archive:
            if sum(info.file_size for info in archive.infolist()) > max_bytes:
                raise zipfile.BadZipFile("too large")
            check_apart(archive)
            images = _array(archive, "images.npy")
            labels = _array(archive, "labels.npy")
    except FileNotFoundError:
        return None
    # zipfile, zlib and numpy raise whatever a damaged file makes them trip over; none
    # of it is a bug of this project.
    except Exception as ex:
        raise BundleError(f"{FILE_NAME} is not a sample of images") from ex
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or not 0 < images[:1].size <= 3 * MAX_PIXELS
        or labels.shape != images.shape[:1]
        or labels.dtype.kind not in "iu"
    ):
        raise BundleError(
            f"{FILE_NAME} must hold 'images' (N, H, W, C) uint8 and 'labels' (N,)"
        )
    return Sample(images, labels.astype(np.int64))


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    info = archive.getinfo(name)
    # LZMA's dictionary alone may take four gigabytes.
    if info.compress_type not in METHODS:
        raise zipfile.BadZipFile("neither stored nor deflated")
    with archive.open(info) as stream:
        shape, is_fortran, dtype = _header(stream)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or size != info.file_size - stream.tell():
            raise ValueError("not of the size that it claims")
        data = stream.read()
    # The checksum is compared where a file ends.
    array = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    read = {
        (1, 0): npy.read_array_header_1_0,
        (2, 0): npy.read_array_header_2_0,
    }
    return read[npy.read_magic(stream)](stream)
