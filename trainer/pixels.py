"""Conversion of images, as people store them, into pixels of one shape and range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bundle.params import Preprocess
from bundle.preprocess import preprocess
from trainer.errors import DataError
from trainer.formats import Form
from trainer.images import Images, pieces
from trainer.stored_images import StoredImages, write_all

_PIXEL = np.dtype(np.uint8)


def pixels(images: Images, what: str) -> Images:
    """Bring images of any usual shape and range to one shape and range.

    Args:
        images: ``(N, H, W)``, or ``(N, H, W, C)`` with C 1 or 3, or ``(N, H*H)`` rows
            of square images; numbers of any dtype in 0..255 or 0..1, or bool.
        what: the name of the images in an error's sentence.

    Returns:
        ``(N, H, W, C)`` uint8, 0..255; on disk if ``images`` are.

    Raises:
        DataError: the images have another form.
        WriteFailed: the disk refuses them.
    """
    shaped = _with_channels(images, what)
    if shaped.dtype == _PIXEL:
        return shaped
    if shaped.dtype == np.bool:  # black and white
        scale = 255
    elif shaped.dtype.kind in "uif":
        scale = _scale_of(shaped, what)
    else:
        raise DataError(f"{what} are {shaped.dtype}; they must be numbers")

    def scaled() -> Iterator[NDArray[np.uint8]]:
        for piece in pieces(shaped):
            levels = piece if scale == 1 else piece * scale
            if levels.dtype.kind == "f":
                levels = np.rint(levels)
            yield levels.astype(np.uint8)

    return _written(scaled(), shaped, shaped.shape[1:])


def brought(images: Images, form: Form) -> Images:
    """Bring all images to a form.

    Args:
        images: ``(N, H, W, C)`` uint8, 0..255.
        form: the form; a size or channels of None stay.

    Returns:
        ``(N, H', W', C')`` uint8; on disk if ``images`` are.

    Raises:
        WriteFailed: the disk refuses them.
    """
    _, height, width, channels = images.shape
    shape = (*(form.size or (height, width)), form.channels or channels)
    if shape == images.shape[1:] and form.how == Preprocess():
        return images
    made = (
        np.stack([bring(image, shape, form.how) for image in piece])
        for piece in pieces(images)
    )
    return _written(made, images, shape)


def bring(
    image: NDArray[np.uint8], shape: tuple[int, int, int], how: Preprocess
) -> NDArray[np.uint8]:
    """Bring one image to a shape, as the service does with the pictures that it gets.

    Args:
        image: ``(H, W, C)`` uint8, 0..255; C is 1 or 3.
        shape: ``(H', W', C')``.
        how: further steps.

    Returns:
        ``(H', W', C')`` uint8.
    """
    if image.shape[2] < shape[2]:
        image = np.repeat(image, shape[2], axis=2)
    elif image.shape[2] > shape[2]:
        image = np.asarray(Image.fromarray(image).convert("L"))[..., np.newaxis]
    result: NDArray[np.uint8] = preprocess(image, how, shape, _PIXEL)
    return result


def _written(
    made: Iterator[NDArray[np.uint8]], images: Images, shape: tuple[int, ...]
) -> Images:
    on_disk = not isinstance(images, np.ndarray)
    return write_all(made, len(images), shape, _PIXEL, on_disk=on_disk)


def _scale_of(images: Images, what: str) -> int:
    """Find the factor that brings numbers to 0..255, by a look at all of them."""
    low, high = math.inf, -math.inf
    is_whole, is_whole_by_256, place = True, True, 0
    for piece in pieces(images):
        if not piece.size:
            continue
        if piece.dtype.kind == "f":
            _check_finite(piece, place, what)
            is_whole = is_whole and _whole(piece)
        low, high = min(low, piece.min()), max(high, piece.max())
        # Larger numbers times 256 may be too large for their dtype.
        is_whole_by_256 = is_whole_by_256 and low >= 0 and high <= 1
        is_whole_by_256 = is_whole_by_256 and _whole(piece * 256)
        place += len(piece)
    if not (low >= 0 and high <= 255):
        raise DataError(
            f"{what} reach from {low} to {high}; they must lie in 0..255 or 0..1"
        )
    if images.dtype.kind != "f":
        return 1
    if high <= 1:
        # The pickle of deeplearning.net holds k / 256, and other files k / 255.
        return 256 if is_whole_by_256 and high < 1 else 255
    if not is_whole:
        raise DataError(
            f"{what} are fractions beyond 1; they must be whole numbers in 0..255 or"
            " lie in 0..1"
        )
    return 1


def _check_finite(piece: NDArray[Any], place: int, what: str) -> None:
    """Check that all numbers of a piece are numbers.

    Args:
        piece: ``(M, …)`` floats.
        place: the number of the piece's first image.
        what: the name of the images in an error's sentence.
    """
    finite = np.isfinite(piece)
    if finite.all():
        return
    first = int(np.argmin(finite.reshape(len(piece), -1).all(axis=1)))
    value = piece[first][~finite[first]][0]
    raise DataError(
        f"{what} have {value} in image {place + first} (the first is 0); replace it by"
        " a number, or remove the image"
    )


def _with_channels(images: Images, what: str) -> Images:
    shape = images.shape
    axes = len(shape)
    if axes == 2 and (side := math.isqrt(shape[1])) ** 2 == shape[1]:
        return _reshaped(images, (shape[0], side, side, 1))
    if axes == 3:
        return _reshaped(images, (*shape, 1))
    if axes == 4 and shape[3] in (1, 3):
        return images
    if axes == 4 and shape[1] in (1, 3):
        raise DataError(
            f"{what} have the shape {shape}, with the channels before height and"
            " width; bring them to the end by images.transpose(0, 2, 3, 1)"
        )
    if axes == 2 and (side := math.isqrt(shape[1] // 3)) ** 2 * 3 == shape[1] > 0:
        raise DataError(
            f"{what} have the shape {shape}, whose rows may hold the colours one after"
            " the other or pixel by pixel; say which of both by"
            f" images.reshape(-1, 3, {side}, {side}).transpose(0, 2, 3, 1) (CIFAR's"
            f" own order) or images.reshape(-1, {side}, {side}, 3)"
        )
    raise DataError(
        f"{what} have the shape {shape}; it must be (N, H, W), (N, H, W, 1),"
        " (N, H, W, 3), or (N, H*W) of square ones"
    )


def _reshaped(images: Images, shape: tuple[int, ...]) -> Images:
    if isinstance(images, StoredImages):
        return images.reshaped(shape)
    return np.asarray(images).reshape(shape)


def _whole(values: NDArray[Any]) -> bool:
    return bool(np.array_equal(values, np.rint(values)))


def size_of(images: Images) -> str:
    """Write one image's size for a sentence: height, width and channels.

    Args:
        images: ``(N, H, W, C)`` uint8.
    """
    return " x ".join(str(n) for n in images.shape[1:])
