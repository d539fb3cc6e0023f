"""report/ has the numbers of the training, and two plots."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.data import DataSet
from trainer.report import confusion_matrix, write_report
from trainer.train import Training


def test_confusion_has_the_truth_in_rows() -> None:
    # These are counted by hand: a 0 was taken for a 1 once, and a 2 for a 0 twice.
    true = np.array([0, 0, 1, 2, 2])
    predicted = np.array([0, 1, 1, 0, 0])
    assert confusion_matrix(true, predicted, 3).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
        [2, 0, 0],
    ]


@pytest.mark.tensorflow
def test_metrics_tell_how_the_training_went(
    bundle_folder: Path, training: Training, few_data: DataSet
) -> None:
    metrics = json.loads((bundle_folder / "report" / "metrics.json").read_text())
    assert metrics["data_set"] == "few.npz"
    assert (metrics["seed"], metrics["epochs"], metrics["batch_size"]) == (7, 1, 50)
    assert metrics["test_accuracy"] == training.test_accuracy
    assert metrics["history"] == training.history
    assert sorted(metrics["versions"]) == ["keras", "numpy", "python", "tensorflow"]
    threes = few_data.y_test == 3
    assert metrics["class_accuracy"]["3"] == pytest.approx(
        (training.predicted[threes] == 3).mean()
    )
    assert sum(map(sum, metrics["confusion_matrix"])) == 100


@pytest.mark.tensorflow
def test_plots_are_drawn_of_any_labels(
    training: Training, few_data: DataSet, tmp_path: Path
) -> None:
    labels = ("$a$b$", "手", *"23456789")
    data = dataclasses.replace(few_data, labels=labels)
    write_report(tmp_path, training, data, "x")
    for name in ("learning_curve.png", "confusion_matrix.png"):
        with Image.open(tmp_path / "report" / name) as picture:
            picture.load()
            assert picture.width > 500


@pytest.mark.tensorflow
def test_class_without_test_images_has_no_accuracy(
    training: Training, few_data: DataSet, tmp_path: Path
) -> None:
    data = dataclasses.replace(few_data, labels=(*few_data.labels, "ten"))
    write_report(tmp_path, training, data, "x")
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["class_accuracy"]["ten"] is None
