"""sample.npz and rows.npz: a few test images, or test rows of a table, in a bundle."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
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
ROWS = "rows.npz"

# This holds 1700 colour images of 224 x 224. The limit is needed because an npz of one
# megabyte can claim to hold a gigabyte.
MAX_BYTES = 1 << 28


@dataclass(frozen=True)
class Sample:
    """A few labelled test images with which a bundle is tried and warmed.

    Attributes:
        images: ``(N, H, W, C)`` uint8, raw 0..255 pixels.
        labels: ``(N,)`` int64, indices into the bundle's labels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class RowSample:
    """A few test rows of a table, on which the exporter proves its conversion.

    Attributes:
        inputs: ``(N, …)`` numbers, or objects that are ``str``, by the input's name.
    """

    inputs: Mapping[str, NDArray[Any]]


def read_sample(folder: Path, max_bytes: int = MAX_BYTES) -> Sample | None:
    """Read a bundle's ``sample.npz``; None if it has none.

    ``numpy.load`` makes an array of the size that a file claims, before it reads the
    file. Here the claimed size is first compared with the size of the data.

    Args:
        folder: the bundle's folder.
        max_bytes: the largest size of the unpacked file.

    Returns:
        The images, ``(N, H, W, C)`` uint8, and their labels, ``(N,)`` int64.

    Raises:
        BundleError: the file is there and is not a sample.
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
    # zipfile, zlib and numpy raise many kinds of errors on damaged files, and none of
    # them is a bug of this project.
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


def read_rows(folder: Path, max_bytes: int = MAX_BYTES) -> RowSample | None:
    """Read a bundle's ``rows.npz``; None if it has none.

    Args:
        folder: the bundle's folder.
        max_bytes: the largest size of the unpacked file.

    Raises:
        BundleError: the file is there and holds no arrays of equal length.
    """
    try:
        with (folder / ROWS).open("rb") as stream, open_zip(stream) as archive:
            if sum(info.file_size for info in archive.infolist()) > max_bytes:
                raise zipfile.BadZipFile("too large")
            check_apart(archive)
            arrays = {
                name.removesuffix(".npy"): _array(archive, name)
                for name in archive.namelist()
            }
    except FileNotFoundError:
        return None
    # See ``read_sample``.
    except Exception as ex:
        raise BundleError(f"{ROWS} is not a sample of rows") from ex
    counts = {array.shape[:1] for array in arrays.values()}
    kinds = {array.dtype.kind for array in arrays.values()}
    if len(counts) != 1 or counts & {(), (0,)} or not kinds <= set("biufU"):
        raise BundleError(
            f"{ROWS} must hold arrays (N, …) of numbers or texts, one for each input"
        )
    return RowSample(
        {
            name: array.astype(object) if array.dtype.kind == "U" else array
            for name, array in arrays.items()
        }
    )


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
    # zipfile compares the checksum when it reads the end of the file, which it just
    # did.
    array = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    read = {
        (1, 0): npy.read_array_header_1_0,
        (2, 0): npy.read_array_header_2_0,
    }
    return read[npy.read_magic(stream)](stream)
