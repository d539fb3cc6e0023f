"""The changes that make of MNIST's digits what people draw and photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]
# A change of one image, ``(H, W)`` uint8, light on black, by its own random numbers.
Change = Callable[[Pixels, np.random.Generator], Pixels]

# Strokes are made thinner at so many times the size, because a whole pixel on each side
# is all that most strokes have.
_FINE = 4


@dataclass(frozen=True)
class Kind:
    """One kind of pictures.

    Attributes:
        name: its name in the table.
        change: the change that makes it.
        least: the share of such pictures that a model must read right; None if there
            is no such promise.
    """

    name: str
    change: Change
    least: float | None


def _scaled(pixels: Pixels, factor: float) -> Pixels:
    height, width = pixels.shape
    size = round(width * factor), round(height * factor)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def _filtered(pixels: Pixels, rank: ImageFilter.RankFilter) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(rank))


def _on_black(pixels: Pixels, side: int, generator: np.random.Generator) -> Pixels:
    """Put pixels anywhere into a black square."""
    height, width = pixels.shape
    canvas = np.zeros((side, side), np.uint8)
    top = generator.integers(0, side - height + 1)
    left = generator.integers(0, side - width + 1)
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def _as_it_is(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    return pixels


def _inverted(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    return 255 - pixels


def _shifted(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    rows = np.flatnonzero(pixels.any(axis=1))
    columns = np.flatnonzero(pixels.any(axis=0))
    digit = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _on_black(digit, 28, generator)


def _resized(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    scaled = _scaled(pixels, generator.uniform(0.5, 3))
    side = max(28, round(len(scaled) * generator.uniform(1, 1.6)))
    return _on_black(scaled, side, generator)


def _thicker(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    return _filtered(pixels, ImageFilter.MaxFilter(3))


def _much_thicker(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    return _filtered(pixels, ImageFilter.MaxFilter(5))


def _thinner(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    return _filtered(_scaled(pixels, _FINE), ImageFilter.MinFilter(2 * _FINE - 1))


def _broken(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    return _filtered(pixels, ImageFilter.MinFilter(3))


def _photographed(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Draw a digit in a corner of gray paper that is lit unevenly, and add noise."""
    cover = _scaled(pixels, generator.uniform(1, 3)) / 255  # the share of ink
    size = len(cover)
    height = round(size * generator.uniform(1.8, 3.5))
    width = round(height * generator.uniform(0.8, 1.3))
    margin = round(0.04 * height)
    top = generator.choice((margin, height - size - margin))
    left = generator.choice((margin, width - size - margin))
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    paper = generator.uniform(150, 225)
    for axis in (y, x):
        paper = paper + generator.uniform(-18, 18) * axis
    place = (slice(top, top + size), slice(left, left + size))
    ink = generator.uniform(20, 80)
    paper[place] = paper[place] * (1 - cover) + ink * cover
    noisy = paper + generator.normal(0, generator.uniform(4, 16), paper.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


KINDS = (
    Kind("as they are", _as_it_is, None),
    Kind("inverted: dark on white", _inverted, 0.95),
    Kind("shifted to any place of 28 x 28 pixels", _shifted, 0.9),
    Kind("scaled by 0.5 to 3, at any place of a larger picture", _resized, 0.9),
    Kind("strokes thicker by 1 pixel on each side", _thicker, 0.85),
    Kind("strokes thicker by 2 pixels on each side", _much_thicker, None),
    Kind("strokes thinner by 3/4 pixel on each side", _thinner, 0.85),
    Kind("strokes thinner by 1 pixel: most fall to pieces", _broken, None),
    Kind("dark, on noisy gray paper, in a corner", _photographed, 0.85),
)


def pictures(kind: Kind, images: Pixels) -> list[Pixels]:
    """Change images; the same ones are always changed alike.

    Args:
        kind: the kind of pictures.
        images: ``(N, 28, 28)`` uint8, of MNIST.

    Returns:
        N pictures ``(H, W)`` uint8, of one or of several sizes.
    """
    return [
        kind.change(image, np.random.default_rng(number))
        for number, image in enumerate(images)
    ]
