"""The steps that bring a digit, as people draw or photograph it, to MNIST's own form.

MNIST's digits are light on black. Each was scaled to a box of 20 x 20 pixels, and put
into 28 x 28 with its centre of mass in the middle.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bundle.errors import ShapeError
from bundle.ground import LEAST, ground_of
from bundle.params import Fit
from bundle.strokes import grown, largest_parts, thickness

# A picture is looked at with about so many pixels a side.
_SIDE = 112

# Strokes are made thicker or thinner at so many times the size of the box.
_FINE = 4

# Ink differs from the ground by this share of the difference of the strongest ink, and
# a part of a digit has this share of the mass of its largest part. The first number is
# for a noisy ground, and the second one for an even ground, where pale strokes and
# small pieces are no noise.
_INK = (0.35, 0.05)
_PART = (0.1, 0.02)

# The ground of a picture that was drawn with a program has less noise, in levels.
_NOISY = 1.0
# From this noise on, ink is looked for in the mean of each pixel and its neighbours,
# whose noise is a third.
_VERY_NOISY = 2.0

# Strokes that are thinner or thicker, in pixels for a box of 20, are brought to these
# numbers. Half of MNIST's own digits are thinner than the first (5 % than 1.6), and
# 10 % thicker than the second, but the model reads those in between best.
_THINNEST, _THICKEST = 2.4, 3.2
_BOX = 20


class Fitting:
    """Brings what is drawn in a picture into the middle of a canvas.

    Args:
        fit: the box that the ink fills, and the point that comes to the middle.
        canvas: ``(height, width)`` of the result.
    """

    def __init__(self, fit: Fit, canvas: tuple[int, int]) -> None:
        self._box, self._canvas = fit.box, canvas
        self._by_mass = fit.centre == "mass"
        height, width = canvas
        y, x = np.mgrid[0:height, 0:width].reshape(2, -1).astype(np.float32)
        # One product gives the mass and its moments, which small sums of whole numbers
        # give exactly.
        self._moments = np.stack((np.ones_like(y), y, x), 1)

    def keeps(self, gray: NDArray[np.uint8]) -> bool:
        """Tell whether a picture on black has this form already.

        Args:
            gray: ``(H, W)`` uint8.
        """
        height, width = self._canvas
        if gray.shape != (height, width):
            return False
        # Bytes are searched faster than arrays.
        rows = gray.tobytes()
        last = len(rows.rstrip(b"\0"))
        if not last:
            return True
        top = (len(rows) - len(rows.lstrip(b"\0"))) // width
        bottom = (last - 1) // width
        box_height, box_width = self._box
        if bottom - top >= box_height:
            return False
        columns = gray.T.tobytes()
        left = (len(columns) - len(columns.lstrip(b"\0"))) // height
        right = (len(columns.rstrip(b"\0")) - 1) // height
        if right - left >= box_width or (
            bottom - top + 1 != box_height and right - left + 1 != box_width
        ):
            return False
        if self._by_mass:
            mass, down, across = gray.reshape(-1).astype(np.float32) @ self._moments
            down, across = down / mass, across / mass
        else:
            down, across = (top + bottom) / 2, (left + right) / 2
        return bool(abs(down - height / 2) <= 0.5 and abs(across - width / 2) <= 0.5)

    def lightened_and_fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Do both steps, ``lightened`` and then ``fitted``."""
        if self.keeps(_gray(image)):
            return image
        return self.fitted(self.lightened(image))

    def lightened(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Invert a picture if its ink is darker than its ground.

        Args:
            image: ``(H, W, 1)`` uint8.

        Raises:
            ShapeError: the picture has colour.
        """
        if self.keeps(_gray(image)):
            return image
        inverted: NDArray[np.uint8] = 255 - image
        return inverted if self.keeps(inverted[:, :, 0]) else lightened(image)

    def fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Find the ink of a picture, and put it into the canvas.

        Args:
            image: ``(H, W, 1)`` uint8, light ink on a dark ground.

        Returns:
            The canvas, ``(H', W', 1)`` uint8, light on black; all black if nothing is
            drawn. A picture that has this form already is returned as it is.

        Raises:
            ShapeError: the picture has colour.
        """
        gray = _gray(image)
        if self.keeps(gray):
            return image
        found = _find(gray)
        if found is None:
            return np.zeros((*self._canvas, 1), np.uint8)
        return self._centred(self._boxed(found))[:, :, np.newaxis]

    def _boxed(self, ink: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale the ink to the box, and its strokes to MNIST's thickness.

        Args:
            ink: ``(H, W)`` float32, 0..1, cropped to the ink.

        Returns:
            ``(H', W')`` float32, 0..1; one side is the box's, and the other not larger.
        """
        fine = _resized(ink, self._inside(ink.shape, _FINE))
        unit = _FINE * max(self._box) / _BOX
        thick = thickness(fine) / unit
        wanted = min(max(thick, _THINNEST), _THICKEST)
        radius = round((wanted - thick) / 2 * unit)
        if radius:
            changed = grown(fine, radius)
            # A picture of no strokes at all may lose all that it has.
            fine = _cropped(changed) if changed.any() else fine
        boxed = _resized(fine, self._inside(fine.shape, 1))
        # Thin strokes become pale when they shrink, and MNIST's reach white.
        bright: NDArray[np.float32] = boxed / max(float(boxed.max()), 1e-6)
        return np.minimum(bright, 1, out=bright)

    def _inside(self, shape: tuple[int, ...], times: int) -> tuple[int, int]:
        """Return the largest size of this ratio in a multiple of the box."""
        height, width = shape
        scale = min(self._box[0] / height, self._box[1] / width) * times
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _centred(self, boxed: NDArray[np.float32]) -> NDArray[np.uint8]:
        height, width = boxed.shape
        down, across = (height - 1) / 2, (width - 1) / 2
        if self._by_mass:
            mass = float(boxed.sum())
            down = float(boxed.sum(1) @ np.arange(height)) / mass
            across = float(boxed.sum(0) @ np.arange(width)) / mass
        top = _placed(self._canvas[0], height, down)
        left = _placed(self._canvas[1], width, across)
        canvas = np.zeros(self._canvas, np.uint8)
        canvas[top : top + height, left : left + width] = np.rint(255 * boxed)
        return canvas


def lightened(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Invert a picture if its ink is darker than its ground.

    Args:
        image: ``(H, W, 1)`` uint8.

    Raises:
        ShapeError: the picture has colour.
    """
    small = _reduced(_gray(image))
    ground = ground_of(small)
    ink = ground.ink(small)
    least = ground.significant
    dark = float(np.maximum(-ink - least, 0).sum())
    light = float(np.maximum(ink - least, 0).sum())
    return 255 - image if dark > light else image


def _gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture, ``(H, W, 1)``, without the axis of its one channel."""
    if image.shape[2] != 1:
        raise ShapeError(
            f"the image has {image.shape[2]} channels, and 'preprocess.polarity' and"
            " 'preprocess.fit' are for gray pictures"
        )
    return image[:, :, 0]


def _find(gray: NDArray[np.uint8], again: bool = True) -> NDArray[np.float32] | None:
    """Find the ink of a picture.

    Args:
        gray: ``(H, W)`` uint8, light ink on a dark ground.
        again: look once more at the place of the ink, if the picture is large.

    Returns:
        ``(H', W')`` float32, 0..1, cropped to the ink; None if there is none.
    """
    small = _reduced(gray)
    ground = ground_of(small)
    ink = ground.ink(small)
    calm = _smooth(ink) if ground.noise > _VERY_NOISY else ink
    strongest = float(calm.max())
    is_even = ground.noise <= _NOISY
    noise = ground.significant / (3 if ground.noise > _VERY_NOISY else 1)
    least = max(LEAST, noise, _INK[is_even] * strongest)
    if strongest <= least:
        return None
    parts = largest_parts(np.where(calm > least, calm, 0), _PART[is_even])
    top, bottom, left, right = _around(parts, gray.shape)
    if again and 2 * (bottom - top) * (right - left) < gray.size:
        nearer = _find(gray[top:bottom, left:right], again=False)
        if nearer is not None:
            return nearer
    full = float(np.mean(calm[parts]))
    low = min(max(ground.significant, 0.1 * full), 0.5 * full)
    near = grown(parts.astype(np.float32), 1)[1:-1, 1:-1] > 0
    scaled = np.clip((ink - low) / (full - low), 0, 1) * near
    return _cropped(scaled.astype(np.float32)) if scaled.any() else None


def _around(
    parts: NDArray[np.bool_], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return the place of the parts in the larger picture, with some ground around."""
    ends = []
    for axis, length in enumerate(shape):
        places = np.flatnonzero(parts.any(axis=1 - axis))
        factor = length / parts.shape[axis]
        margin = 2 + 0.15 * (places[-1] + 1 - places[0])
        ends += [
            max(0, int((places[0] - margin) * factor)),
            min(length, int((places[-1] + 1 + margin) * factor)),
        ]
    return ends[0], ends[1], ends[2], ends[3]


def _reduced(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Make a picture small enough to look at."""
    factor = -(-max(gray.shape) // _SIDE)
    if factor > 1:
        gray = np.asarray(Image.fromarray(gray).reduce(factor))
    return gray.astype(np.float32)


def _smooth(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each pixel and its eight neighbours."""
    padded = np.pad(ink, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    mean: NDArray[np.float32] = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    mean /= np.float32(9)
    return mean


def _cropped(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = np.flatnonzero(ink.any(axis=1))
    columns = np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resized(ink: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    height, width = size
    picture = Image.fromarray(np.ascontiguousarray(ink))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _placed(length: int, size: int, centre: float) -> int:
    """Return where something begins whose centre lies in the middle of a length."""
    return min(max(0, round(length / 2 - centre)), length - size)
