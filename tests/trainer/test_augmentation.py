"""Augmentation moves, turns and mirrors images within its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.augmentation import AUGMENTATIONS, augment_of

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("tensorflow")]


def changed(
    name: str, images: NDArray[np.uint8], strength: float = 1.0
) -> NDArray[np.uint8]:
    augment = augment_of(name, strength)
    assert augment is not None
    return augment(images, np.random.default_rng(1))


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name != "none"])
def test_images_keep_their_shape_and_the_seed_repeats_them(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 28, 20, 3), np.uint8)
    first = changed(name, images)
    assert (first.shape, first.dtype) == (images.shape, np.uint8)
    assert not np.array_equal(first, images)
    np.testing.assert_array_equal(changed(name, images), first)


def test_no_augmentation_is_no_function() -> None:
    assert augment_of("none") is None
    assert augment_of("affine", 0.0) is None


def test_shift_flip_moves_by_a_pixel_and_mirrors_about_half() -> None:
    images = np.zeros((400, 28, 28, 1), np.uint8)
    images[:, 10, 5] = 200  # the only bright pixel of each
    moved = changed("shift-flip", images)
    count, rows, columns, _ = np.nonzero(moved)
    assert count.tolist() == list(range(400))
    assert set(moved[moved > 0]) == {200}
    assert set(rows) == {9, 10, 11}
    # Its place from the left is 5, and from the right, in a mirror, 27 - 5.
    assert set(columns) == {4, 5, 6, 21, 22, 23}
    assert 150 < (columns > 14).sum() < 250


def test_affine_keeps_the_middle_within_the_shift() -> None:
    images = np.zeros((200, 28, 28, 1), np.uint8)
    images[:, 13:15, 13:15] = 255
    moved = changed("affine", images).astype(float)[..., 0]
    total = moved.sum(axis=(1, 2))
    middle = np.stack(
        [
            (moved.sum(axis=2) * np.arange(28)).sum(axis=1) / total,
            (moved.sum(axis=1) * np.arange(28)).sum(axis=1) / total,
        ]
    )
    away = np.abs(middle - 13.5)
    # 2.5 pixels, and a little more, because the scale is the old image's.
    assert away.max() < 3.5
    assert away.max() > 1.5


def test_background_goes_on_beyond_the_edge() -> None:
    white = np.full((20, 28, 28, 1), 255, np.uint8)
    # TensorFlow cuts the fraction off where it interpolates.
    assert changed("affine", white).min() >= 254


def test_strength_is_a_factor() -> None:
    images = np.zeros((200, 28, 28, 1), np.uint8)
    images[:, :, 14:] = 255
    weak, strong = (
        np.abs(changed("affine", images, strength).astype(float) - images).mean()
        for strength in (0.5, 1.0)
    )
    assert 0 < weak < 0.75 * strong
