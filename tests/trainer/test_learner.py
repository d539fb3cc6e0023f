"""A learner holds out a part of each class, and keeps the weights of the best epoch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.trainer.examples import blank_images
from trainer.learner import Learner, split_of
from trainer.settings import Settings


def test_a_tenth_of_each_class_is_held_out() -> None:
    data = blank_images((10, 10, 1), 2)
    numbers = np.repeat([0, 1], [30, 70])
    data = dataclasses.replace(
        data, x_train=np.zeros((100, 10, 10, 1), np.uint8), y_train=numbers
    )
    split = split_of(data, 1)
    assert np.bincount(numbers[split.validation]).tolist() == [3, 7]
    together = np.concatenate([split.train, split.validation])
    assert sorted(together) == list(range(100))
    assert not np.array_equal(split_of(data, 2).validation, split.validation)


def test_one_image_of_each_class_leaves_something_to_measure() -> None:
    split = split_of(blank_images((10, 10, 1), 3), 1)
    assert (len(split.train), len(split.validation)) == (2, 1)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("losses", "best", "epochs"),
    [
        ([5.0, 3.0, 4.0, 3.5, 1.0], 2, 4),
        ([5.0, 4.0, 3.0, 2.0, 1.0], 5, 5),
        ([np.nan, 4.0, np.nan, np.nan, 1.0], 2, 4),
    ],
)
def test_patience_ends_early_and_takes_the_best_epoch(
    tensorflow: None,
    monkeypatch: pytest.MonkeyPatch,
    losses: list[float],
    best: int,
    epochs: int,
) -> None:
    """The losses are given by hand; one weight counts the epochs."""
    learner = _counting_learner(monkeypatch, losses, patience=2)
    learner.run([])
    assert learner.epoch == epochs
    assert learner.model.get_weights()[0].tolist() == [best]


def _counting_learner(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], patience: int
) -> Learner:
    from trainer.networks.build import build_network

    data = blank_images((10, 10, 1), 2)
    settings = Settings(len(losses), 2, 1, patience=patience)
    model = build_network(data, "cnn", 0.25)
    learner = Learner(model, data, settings, split_of(data, 1))
    weights = np.zeros(1)  # It is filled below with the number of the epoch.

    def fit(*given: Any, callbacks: list[Any], **options: Any) -> None:
        for epoch, loss in enumerate(losses):
            weights[0] = epoch + 1
            callbacks[0].on_epoch_end(epoch, {"val_loss": loss})
            if model.stop_training:
                break

    def set_weights(given: list[Any]) -> None:
        weights[:] = given[0]

    monkeypatch.setattr(model, "fit", fit, raising=False)
    monkeypatch.setattr(model, "get_weights", lambda: [weights.copy()])
    monkeypatch.setattr(model, "set_weights", set_weights)
    return learner
