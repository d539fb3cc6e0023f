"""Training is repeatable, sees every class, and can be ended."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.data import DataSet, load_dataset
from trainer.settings import Settings
from trainer.train import Training, train

pytestmark = pytest.mark.tensorflow


def _weights(training: Training) -> NDArray[np.float32]:
    return np.concatenate([w.ravel() for w in training.model.get_weights()])


def test_same_seed_gives_the_same_weights(
    few_data: DataSet, training: Training
) -> None:
    again = train(few_data, training.settings)
    np.testing.assert_array_equal(_weights(again), _weights(training))
    other = train(few_data, dataclasses.replace(training.settings, seed=8))
    assert not np.array_equal(_weights(other), _weights(training))


def test_evaluation_is_of_the_test_images(
    few_data: DataSet, training: Training
) -> None:
    right = (training.predicted == few_data.y_test).mean()
    assert training.test_accuracy == pytest.approx(right)
    assert list(training.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]


def test_last_class_of_an_ordered_set_is_trained_on(tensorflow: None) -> None:
    # The last tenth of the images is white, the others are black. A validation part
    # from the end would take all of the second class.
    x_train = np.zeros((100, 12, 12, 1), np.uint8)
    x_train[90:] = 255
    y_train = (np.arange(100) >= 90).astype(np.int64)
    data = DataSet(x_train, y_train, x_train[-20:], y_train[-20:], ("black", "white"))
    training = train(data, Settings(epochs=8, batch_size=10, seed=1))
    assert training.test_accuracy == 1.0


def test_stop_ends_the_training_within_a_step(
    few_data: DataSet, tensorflow: None
) -> None:
    steps = []

    def stop_at_third() -> None:
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(few_data, Settings(epochs=9, batch_size=50, seed=1), stop_at_third)
    assert len(steps) == 3


def test_stop_is_asked_after_every_step(tensorflow: None) -> None:
    x = np.zeros((100, 12, 12, 1), np.uint8)
    y = (np.arange(100) % 2).astype(np.int64)
    data = DataSet(x, y, x[:64], y[:64], ("even", "odd"))
    steps: list[int] = []
    settings = Settings(epochs=2, batch_size=30, seed=1)
    train(data, settings, lambda: steps.append(1))
    # Each of two epochs trains on 90 images in three steps, and validates on the 10
    # held out in one step. The 64 test images are measured and then predicted in three
    # steps each.
    assert len(steps) == 2 * (3 + 1) + 3 + 3


def test_images_on_disk_train_the_same_model(training: Training, few_npz: Path) -> None:
    stored = load_dataset(few_npz, max_bytes=1000)
    assert not isinstance(stored.x_train, np.ndarray)
    again = train(stored, training.settings)
    np.testing.assert_array_equal(again.scores, training.scores)
