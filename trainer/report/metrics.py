"""metrics.json: all figures of a training, for programs."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from bundle import __version__
from bundle.figures import confidence_of
from bundle.report import SCHEMA_VERSION
from trainer.data import DataSet
from trainer.report.measures import (
    calibration,
    class_measures,
    confident_mistakes,
    confusion_matrix,
    expected_calibration_error,
)
from trainer.report.recipe import recipe_metrics
from trainer.report.reference import confidence_distribution, input_distributions
from trainer.report.table_metrics import table_metrics
from trainer.tables.dataset import TableSet
from trainer.train import Training

# So many mistakes make a square of pictures.
MISTAKES = 9
# The confusion matrix of more classes has a million numbers, and nobody reads it.
_MAX_CONFUSION = 500


def metrics_of(
    name: str,
    training: Training,
    data: DataSet | TableSet,
    data_name: str,
    command: str,
) -> dict[str, Any]:
    """Make the content of metrics.json; docs/reference/bundle.md tells its keys.

    Args:
        name: the model's name.
        training: the fitted model and its measures.
        data: the data set.
        data_name: the data set's name.
        command: the command that trains the model again.

    Returns:
        Dictionaries, lists, texts, None, and numbers, of which some may be NaN.
    """
    settings = training.settings
    return {
        "schema_version": SCHEMA_VERSION,
        "model": name,
        "data_set": data_name,
        "train_samples": len(data.y_train),
        "test_samples": len(data.y_test),
        **({} if isinstance(data, TableSet) else _of_images(data)),
        "network": settings.network_name,
        "parameters": training.model.count_params(),
        "epochs": training.epochs,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        **recipe_metrics(training),
        "command": command,
        "seconds": round(training.seconds, 3),
        "history": training.history,
        "test_loss": training.test_loss,
        **(_of_classes(training, data) if data.task == "classes" else {}),
        **(table_metrics(training, data) if isinstance(data, TableSet) else {}),
        "versions": {
            "tfaas-onnx": __version__,
            "python": platform.python_version(),
            "tensorflow": _tensorflow_version(),
            "keras": version("keras"),
            "numpy": version("numpy"),
        },
    }


def _of_images(data: DataSet) -> dict[str, Any]:
    return {"image_shape": list(data.image_shape)}


def _of_classes(training: Training, data: DataSet | TableSet) -> dict[str, Any]:
    labels = data.labels
    confusion = confusion_matrix(data.y_test, training.predicted, len(labels))
    confidence = confidence_of(training.scores)
    bins = calibration(confidence, training.predicted == data.y_test)
    mistakes = confident_mistakes(data.y_test, training.scores, MISTAKES)
    predicted = np.bincount(training.predicted, minlength=len(labels))
    figures = {} if isinstance(data, TableSet) else input_distributions(data.x_test)
    return {
        "test_accuracy": training.test_accuracy,
        "mistakes": int((training.predicted != data.y_test).sum()),
        "ece": expected_calibration_error(bins),
        "calibration": [asdict(found) for found in bins],
        "classes": [asdict(found) for found in class_measures(confusion, labels)],
        "confusion_matrix": (
            confusion.tolist() if len(labels) <= _MAX_CONFUSION else None
        ),
        "confident_mistakes": [
            {
                "image": mistake.image,
                "true": labels[mistake.true],
                "predicted": labels[mistake.predicted],
                "confidence": mistake.confidence,
            }
            for mistake in mistakes
        ],
        "reference": {
            # In the order of the labels.
            "predicted": predicted.tolist(),
            "confidence": asdict(confidence_distribution(confidence)),
            "input": {name: asdict(found) for name, found in figures.items()},
        },
    }


def _tensorflow_version() -> str:
    # The module is asked, because the package may be tensorflow or tensorflow-cpu.
    import tensorflow as tf

    return str(tf.__version__)
