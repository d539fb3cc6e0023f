"""Augmentation: small changes by chance of the images that are trained on.

It happens in the batches, and so is never a part of the model that is saved.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Augment = Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]

# Handwriting is turned by at most 10 degrees, slanted and scaled by a tenth, and moved
# by 2.5 of MNIST's 28 pixels. With these, the network `vgg-small` gets 0.9968 on MNIST.
_DEGREES = 10.0
_SHEAR = 0.1
_SCALE = 0.1
_SHIFT = 2.5 / 28
# Clothes and things keep their size and their upright place, and may look to the left
# or to the right: one of 28 pixels to each side, and a reflection.
_SMALL_SHIFT = 1 / 28


def augment_of(name: str, strength: float = 1.0) -> Augment | None:
    """Return the function that changes a batch of images by chance.

    Args:
        name: ``none``, ``shift-flip`` or ``affine``.
        strength: the factor of all angles, shifts and scales.

    Returns:
        A function of ``(N, H, W, C)`` uint8 and a generator; None changes nothing.
    """
    if name == "none" or not strength:
        return None
    draw, interpolation = _DRAWS[name]
    return lambda images, generator: _transformed(
        images, draw(len(images), images.shape[1:3], strength, generator), interpolation
    )


def _draw_affine(
    count: int, size: tuple[int, ...], strength: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Draw ``(N, 2, 3)``: where in the old image each pixel of the new one lies."""
    height, width = size

    def within(limit: float) -> NDArray[np.float64]:
        return generator.uniform(-limit * strength, limit * strength, count)

    angle = np.deg2rad(within(_DEGREES))
    scale_x, scale_y = 1 + within(_SCALE), 1 + within(_SCALE)
    shear = within(_SHEAR)
    shift_x, shift_y = width * within(_SHIFT), height * within(_SHIFT)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.stack(
        [
            np.stack([cos * scale_x, (cos * shear - sin) * scale_y], axis=-1),
            np.stack([sin * scale_x, (sin * shear + cos) * scale_y], axis=-1),
        ],
        axis=1,
    )
    # The middle of the image stays in its place before the shift.
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    moved = np.stack([shift_x, shift_y], axis=-1) + middle - linear @ middle
    return np.concatenate([linear, moved[..., np.newaxis]], axis=2)


def _draw_shift_flip(
    count: int, size: tuple[int, ...], strength: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Draw ``(N, 2, 3)`` as ``_draw_affine`` does, of whole pixels."""
    height, width = size
    matrices = np.tile(np.eye(2, 3), (count, 1, 1))
    for axis, side in enumerate((width, height)):
        most = max(1, round(side * _SMALL_SHIFT * strength))
        matrices[:, axis, 2] = generator.integers(-most, most + 1, count)
    flipped = generator.random(count) < 0.5
    matrices[flipped, 0, 0] = -1
    matrices[flipped, 0, 2] += width - 1
    return matrices


def _transformed(
    images: NDArray[np.uint8], matrices: NDArray[np.float64], interpolation: str
) -> NDArray[np.uint8]:
    import tensorflow as tf

    # The last two numbers of a projective transform are 0 for an affine one.
    rows = np.zeros((len(images), 8), np.float32)
    rows[:, :6] = matrices.reshape(-1, 6)
    # The processor prepares the next batch while a GPU trains on this one.
    with tf.device("CPU"):
        changed = tf.raw_ops.ImageProjectiveTransformV3(
            images=images,
            transforms=rows,
            output_shape=np.array(images.shape[1:3], np.int32),
            interpolation=interpolation,
            fill_value=0.0,
            # The background goes on beyond the edge, whatever its colour is.
            fill_mode="NEAREST",
        )
    pixels: NDArray[np.uint8] = changed.numpy()
    return pixels


_Draw = Callable[
    [int, tuple[int, ...], float, np.random.Generator], NDArray[np.float64]
]
_DRAWS: dict[str, tuple[_Draw, str]] = {
    "shift-flip": (_draw_shift_flip, "NEAREST"),
    "affine": (_draw_affine, "BILINEAR"),
}
# The choices of the recipe `best`, from none to much.
AUGMENTATIONS = ("none", *_DRAWS)
