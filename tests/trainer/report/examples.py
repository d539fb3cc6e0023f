"""A training without TensorFlow: scores that were made up, of pictures of noise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from trainer.data import DataSet
from trainer.settings import Settings
from trainer.train import Training

LABELS = ("<b>cat</b>", "$dog$", "手")


def a_data_set(labels: tuple[str, ...] = LABELS, channels: int = 1) -> DataSet:
    """Return ten pictures to train on, and thirty to test on."""
    pictures = np.random.default_rng(0).integers(
        0, 256, (40, 12, 12, channels), np.uint8
    )
    classes = np.arange(40) % len(labels)
    return DataSet(pictures[:10], classes[:10], pictures[10:], classes[10:], labels)


def a_training(data: DataSet, **changes: Any) -> Training:
    """Return a training that takes every fifth test image for the next class."""
    count, classes = len(data.y_test), len(data.labels)
    scores = np.full((count, classes), 0.2 / (classes - 1), np.float32)
    shift = (np.arange(count) % 5 == 0).astype(np.int64)
    scores[np.arange(count), (data.y_test + shift) % classes] = 0.8
    values: dict[str, Any] = {
        "model": cast(Any, SimpleNamespace(count_params=lambda: 1234)),
        # Patience ended it early.
        "settings": Settings(epochs=9, batch_size=5, seed=3, patience=1),
        "history": {
            "loss": [0.5, 0.25],
            "val_loss": [0.4, 0.3],
            "accuracy": [0.5, 0.75],
            "val_accuracy": [0.6, 0.7],
        },
        "test_loss": 0.3,
        "test_accuracy": 0.8,
        "scores": scores,
        "seconds": 12.34,
    }
    return Training(**{**values, **changes})
