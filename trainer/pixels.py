"""Conversion of images, as people store them, into pixels of one shape and range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError


def pixels(images: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """Bring images of any usual shape and range to one shape and range.

    Args:
        images: ``(N, H, W)``, or ``(N, H, W, C)`` with C 1 or 3, or ``(N, H*H)`` rows
            of square images; numbers of any dtype in 0..255 or 0..1, or bool.
        what: the name of the images in an error's sentence.

    Returns:
        ``(N, H, W, C)`` uint8, 0..255.

    Raises:
        DataError: the images have another form.
    """
    shaped = _with_channels(images, what)
    if shaped.dtype == np.uint8 or not shaped.size:
        return shaped.astype(np.uint8, copy=False)
    if shaped.dtype == np.bool:  # black and white
        return shaped * np.uint8(255)
    if shaped.dtype.kind not in "uif":
        raise DataError(f"{what} are {shaped.dtype}; they must be numbers")
    low, high = shaped.min(), shaped.max()
    # The test is for right values and then negated, because every comparison with NaN
    # is false.
    if not (low >= 0 and high <= 255):
        raise DataError(
            f"{what} reach from {low} to {high}; they must lie in 0..255 or 0..1"
        )
    if shaped.dtype.kind == "f":
        # The pickle of deeplearning.net holds k / 256, and other files k / 255.
        scale = 1 if high > 1 else 256 if _whole(shaped * 256) and high < 1 else 255
        shaped = shaped * scale
        if scale == 1 and not _whole(shaped):
            raise DataError(
                f"{what} are fractions beyond 1; they must be whole numbers in 0..255"
                " or lie in 0..1"
            )
        shaped = np.rint(shaped)
    return shaped.astype(np.uint8)


def _with_channels(images: NDArray[Any], what: str) -> NDArray[Any]:
    if (
        images.ndim == 2
        and (side := math.isqrt(images.shape[1])) ** 2 == (images.shape[1])
    ):
        return images.reshape(-1, side, side, 1)
    if images.ndim == 3:
        return images[..., np.newaxis]
    if images.ndim == 4 and images.shape[3] in (1, 3):
        return images
    if images.ndim == 4 and images.shape[1] in (1, 3):
        raise DataError(
            f"{what} have the shape {images.shape}, with the channels before height and"
            " width; bring them to the end by images.transpose(0, 2, 3, 1)"
        )
    raise DataError(
        f"{what} have the shape {images.shape}; it must be (N, H, W), (N, H, W, 1),"
        " (N, H, W, 3), or (N, H*W) of square ones"
    )


def _whole(values: NDArray[Any]) -> bool:
    return bool(np.array_equal(values, np.rint(values)))


def size_of(images: NDArray[np.uint8]) -> str:
    """Write one image's size for a sentence: height, width and channels.

    Args:
        images: ``(N, H, W, C)`` uint8.
    """
    return " x ".join(str(n) for n in images.shape[1:])
