"""Batches give every row once an epoch, in an order that the seed decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("tensorflow")]

IMAGES = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
ROWS = np.array([1, 2, 3, 5, 6, 7, 9])


def a_batches(x: Any = IMAGES, **options: Any) -> Any:
    from trainer.batches import Batches

    settings = {"batch_size": 3, "num_classes": None, "seed": 4, **options}
    weights = settings.pop("weights", None)
    return Batches(x, np.arange(10) % 2, weights, ROWS, **settings)


def rows_of(batches: Any) -> list[int]:
    return [int(row) for n in range(len(batches)) for row in batches[n][0].ravel()]


def test_each_epoch_has_all_rows_in_another_order() -> None:
    batches = a_batches()
    assert [len(batches[number][0]) for number in range(len(batches))] == [3, 3, 1]
    first = rows_of(batches)
    batches.begin(1)
    second = rows_of(batches)
    assert sorted(first) == sorted(second) == ROWS.tolist()
    assert first != second
    # A training that begins at the second epoch sees the second order.
    resumed = a_batches()
    resumed.begin(1)
    assert rows_of(resumed) == second


def test_without_a_seed_the_order_stays() -> None:
    batches = a_batches(seed=None)
    batches.begin(3)
    assert rows_of(batches) == ROWS.tolist()


def test_answers_belong_to_their_rows() -> None:
    images, answers = a_batches()[0]
    np.testing.assert_array_equal(answers, images.ravel() % 2)
    images, answers = a_batches(num_classes=3)[0]
    np.testing.assert_array_equal(answers, np.eye(3)[images.ravel() % 2])


def test_weights_belong_to_their_rows() -> None:
    images, _, weights = a_batches(weights=np.arange(10, dtype=np.float32))[0]
    np.testing.assert_array_equal(weights, images.ravel())


def test_a_table_gives_each_column_and_one_column_alone() -> None:
    numbers = np.arange(10, dtype=np.float32).reshape(10, 1)
    columns, answers = a_batches({"pt": numbers, "eta": -numbers})[0]
    np.testing.assert_array_equal(columns["eta"], -columns["pt"])
    np.testing.assert_array_equal(answers, columns["pt"].ravel() % 2)
    only, _ = a_batches({"row": numbers})[0]
    assert only.shape == (3, 1)


def test_augmentation_is_the_same_for_the_same_epoch_and_batch() -> None:
    def augment(
        images: NDArray[np.uint8], generator: np.random.Generator
    ) -> NDArray[np.uint8]:
        return images + generator.integers(10, 200, images.shape, np.uint8)

    batches = a_batches(augment=augment)
    first, second = batches[0][0], batches[1][0]
    np.testing.assert_array_equal(batches[0][0], first)
    batches.begin(1)
    assert not np.array_equal(batches[0][0], first)
    resumed = a_batches(augment=augment)
    np.testing.assert_array_equal(resumed[1][0], second)
