"""metrics.json of a real training has the figures that the training told."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from trainer.data import DataSet
from trainer.report.metrics import metrics_of
from trainer.train import Training

pytestmark = pytest.mark.tensorflow


def test_metrics_tell_how_the_training_went(
    bundle_folder: Path, training: Training, few_data: DataSet
) -> None:
    metrics = json.loads((bundle_folder / "report" / "metrics.json").read_text())
    assert (metrics["model"], metrics["data_set"]) == ("digits", "few.npz")
    assert (metrics["seed"], metrics["epochs"], metrics["batch_size"]) == (7, 1, 50)
    assert metrics["test_accuracy"] == training.test_accuracy
    assert metrics["history"] == training.history
    # Keras's own accuracy is the share of the diagonal, and of the images but mistakes.
    assert metrics["mistakes"] == round(100 * (1 - training.test_accuracy))
    diagonal = [row[place] for place, row in enumerate(metrics["confusion_matrix"])]
    assert sum(diagonal) == round(100 * training.test_accuracy)
    threes = few_data.y_test == 3
    assert metrics["classes"][3]["recall"] == pytest.approx(
        (training.predicted[threes] == 3).mean()
    )
    assert sum(map(sum, metrics["confusion_matrix"])) == 100
    assert sum(metrics["reference"]["predicted"]) == 100


def test_class_without_test_images_has_no_recall(
    training: Training, few_data: DataSet
) -> None:
    data = dataclasses.replace(few_data, labels=(*few_data.labels, "ten"))
    metrics = metrics_of("digits", training, data, "x", "trainer run")
    assert metrics["classes"][10] == {
        "label": "ten",
        "images": 0,
        "predicted": 0,
        "precision": None,
        "recall": None,
        "f1": None,
    }
