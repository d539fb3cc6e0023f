"""Preprocessing of a decoded image into one item of the model's input.

Trainer, exporter and runtime all use it, so that a model is tried and asked with images
that were made in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bundle.errors import ShapeError
from bundle.fit import Fitting, lightened
from bundle.params import Preprocess

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


# A step takes and gives a picture, ``(H, W, C)`` uint8.
_Step = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

# A model with free sides takes images of any size, and a convolution takes about a
# hundred bytes of memory a pixel, which is gigabytes at 16 Mpx. Networks of this kind
# are trained on less than 1 Mpx.
MAX_FREE_PIXELS = 1 << 20


def preprocess(
    image: NDArray[np.uint8],
    how: Preprocess,
    shape: tuple[int | None, int | None, int | None],
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Bring one decoded image to the size, range and dtype of a model's input.

    Args:
        image: ``(H, W, C)`` uint8, 0..255.
        how: params.json's ``preprocess``.
        shape: ``(H', W', C)`` of one item of the model's input; None is a free axis.
        dtype: the model's input dtype.

    Returns:
        ``(H', W', C)`` of ``dtype``, without the batch axis. A free axis keeps the
        image's own size unless ``how.size`` names one.

    Raises:
        ShapeError: the image has another number of channels than the model, or
            ``how`` contradicts the model, or the image is too large for a model with
            free sides.

    Source: Pillow's filters. They use more pixels the more they shrink an image, unlike
    tf.image.resize without antialias, so a photo's thin lines survive at 28 pixels.
    """
    return _plan(how, shape, dtype)(image)


class Preprocessing:
    """``preprocess`` for one model, whose steps are chosen once and not for each image.

    Args:
        how: params.json's ``preprocess``.
        shape: ``(H', W', C)`` of one item of the model's input; None is a free axis.
        dtype: the model's input dtype.
    """

    def __init__(
        self,
        how: Preprocess,
        shape: tuple[int | None, int | None, int | None],
        dtype: np.dtype[Any],
    ) -> None:
        self._how, self._shape, self._dtype = how, shape, dtype
        height, width, channels = shape
        self._size = how.size or (height, width)
        self._contradicts = (height or self._size[0], width or self._size[1]) != (
            self._size
        )
        # An image of this shape needs no check and keeps its size. A free axis is None
        # here, so no image has this shape then.
        self._fitting = None if self._contradicts else (*self._size, channels)
        self._inverts = how.invert
        # The steps before the picture gets its size, by their names, and the functions
        # that do the same at once.
        self._steps: dict[str, _Step] = {}
        self._chain: tuple[_Step, ...] = ()
        if how.polarity or how.fit:
            self._find_ink_first(how)
        self._keeps_range = how.scale == 1.0 and how.offset == 0.0
        self._scale, self._offset = np.float32(how.scale), np.float32(how.offset)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Bring one image, ``(H, W, C)`` uint8, to the model; see ``preprocess``."""
        for step in self._chain:
            image = step(image)
        if image.shape != self._fitting:
            image = self._sized(image)
        if self._inverts:
            image = _inverted(image)
        if self._keeps_range:
            return image.astype(self._dtype)
        return self._scaled(image)

    def explain(
        self, image: NDArray[np.uint8]
    ) -> tuple[dict[str, NDArray[np.uint8]], NDArray[Any]]:
        """Bring one image to the model, and keep the picture after each step.

        Args:
            image: ``(H, W, C)`` uint8, 0..255.

        Returns:
            The pictures, ``(H', W', C)`` uint8, by the names of the steps in their
            order; and the same item as ``preprocess`` gives.

        Raises:
            ShapeError: see ``preprocess``.
        """
        pictures = {}
        for name, step in self._steps.items():
            image = pictures[name] = step(image)
        image = pictures["size"] = self._sized(image)
        if self._inverts:
            image = pictures["invert"] = _inverted(image)
        return pictures, self._scaled(image)

    def _find_ink_first(self, how: Preprocess) -> None:
        """Add the steps for drawn and photographed pictures."""
        steps = self._steps
        if (refusal := self._reason_against_ink()) is not None:

            def refuse(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
                raise ShapeError(f"params.json: {refusal}")

            steps["fit"] = refuse
        elif how.fit is None:
            steps["polarity"] = lightened
        else:
            height, width = self._size
            assert height and width, "there would be a reason against it"
            fitting = Fitting(how.fit, (height, width))
            if how.polarity:
                steps["polarity"] = fitting.lightened
            elif how.invert:
                # Ink must be light before it is looked for.
                steps["invert"] = _inverted
                self._inverts = False
            steps["fit"] = fitting.fitted
            if how.polarity:
                # One look tells of most pictures that they have the form already.
                self._chain = (fitting.lightened_and_fitted,)
        self._chain = self._chain or tuple(steps.values())

    def _reason_against_ink(self) -> str | None:
        """Say why a model cannot have ``polarity`` or ``fit``; None if it can."""
        height, width = self._size
        channels = self._shape[2]
        if channels not in (None, 1):
            return (
                "'preprocess.polarity' and 'preprocess.fit' are for gray pictures, and"
                f" the model takes {channels} channels; leave them out"
            )
        if self._how.fit is None:
            return None
        if not height or not width:
            return (
                "'preprocess.fit' needs 'preprocess.size', because the model takes any"
                " size"
            )
        box = self._how.fit.box
        if box[0] > height or box[1] > width:
            return (
                f"'preprocess.fit.box' is {box[0]} x {box[1]}, and the model's input is"
                f" {height} x {width}; give a smaller box"
            )
        return None

    def _scaled(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        scaled = image.astype(np.float32)
        scaled *= self._scale
        scaled += self._offset
        if self._dtype.kind in "iu":
            # A cast would cut off fractions, and wrap numbers that are out of range.
            limits = np.iinfo(self._dtype)
            scaled = np.clip(np.rint(scaled), limits.min, limits.max)
        return scaled.astype(self._dtype, copy=False)

    def _sized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Check an image against the model, and bring it to its size."""
        if image.shape == self._fitting:
            return image
        height, width, channels = self._shape
        rows, columns = image.shape[:2]
        wanted_height, wanted_width = self._size
        if channels is not None and image.shape[2] != channels:
            raise ShapeError(
                f"the image has {image.shape[2]} channels and the model takes"
                f" {channels}"
            )
        if self._contradicts:
            raise ShapeError(
                f"params.json: 'preprocess.size' is {wanted_height} x {wanted_width}"
                f" and the model takes {height} x {width}"
            )
        wanted_height, wanted_width = wanted_height or rows, wanted_width or columns
        if self._how.size is None and None in (height, width):
            pixels = wanted_height * wanted_width
            if pixels > MAX_FREE_PIXELS:
                raise ShapeError(
                    f"the model takes any size, and {wanted_height} x {wanted_width}"
                    f" pixels are more than {MAX_FREE_PIXELS} in all; send a smaller"
                    " image"
                )
        return _resize(image, wanted_height, wanted_width, self._how)


def _inverted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return 255 - image


# Callers that keep no plan get the one of the last image, and of some other models.
_plan = lru_cache(maxsize=64)(Preprocessing)


def _resize(
    image: NDArray[np.uint8], height: int, width: int, how: Preprocess
) -> NDArray[np.uint8]:
    if image.shape[:2] == (height, width):
        return image
    channels = image.shape[2]
    # Pillow takes gray pictures without a channel axis.
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    resized = np.asarray(picture.resize((width, height), _FILTERS[how.resize]))
    return resized.reshape(height, width, channels)
