"""report/: the results of a training, in numbers and in plots."""

from __future__ import annotations

import json
import platform
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data import DataSet
from trainer.train import Training

FOLDER = "report"

# Above this the numbers in the cells would cover each other.
_MAX_NUMBERED_CLASSES = 20


def write_report(
    folder: Path, training: Training, data: DataSet, data_name: str
) -> None:
    """Write ``metrics.json``, ``learning_curve.png`` and ``confusion_matrix.png``.

    Args:
        folder: the bundle's folder.
        training: the fitted model and its measures.
        data: the data set.
        data_name: the data set's name.
    """
    report = folder / FOLDER
    report.mkdir()
    confusion = confusion_matrix(data.y_test, training.predicted, len(data.labels))
    metrics = _metrics(training, data, data_name, confusion)
    text = json.dumps(metrics, indent=2, ensure_ascii=False)
    (report / "metrics.json").write_text(text + "\n", encoding="utf-8")
    _plot_learning_curve(training.history, report / "learning_curve.png")
    _plot_confusion(confusion, data.labels, report / "confusion_matrix.png")


def confusion_matrix(
    true: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Count, for each true class, how often the model answered each class.

    Args:
        true: ``(N,)`` int64, the true class of each image.
        predicted: ``(N,)`` int64, the model's class of each image.
        num_classes: the number of classes.

    Returns:
        ``(num_classes, num_classes)`` int64; the row is the true class, and the column
        the model's class.
    """
    confusion = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion, (true, predicted), 1)
    return confusion


def _metrics(
    training: Training,
    data: DataSet,
    data_name: str,
    confusion: NDArray[np.int64],
) -> dict[str, Any]:
    totals = confusion.sum(axis=1)
    right = confusion.diagonal()
    settings = training.settings
    return {
        "data_set": data_name,
        "train_samples": len(data.x_train),
        "test_samples": len(data.x_test),
        "image_shape": data.image_shape,
        "network": settings.network,
        "parameters": training.model.count_params(),
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "seconds": round(training.seconds, 3),
        "history": training.history,
        "test_loss": training.test_loss,
        "test_accuracy": training.test_accuracy,
        # A class without test images has None.
        "class_accuracy": {
            label: right[number] / totals[number] if totals[number] else None
            for number, label in enumerate(data.labels)
        },
        "confusion_matrix": confusion.tolist(),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": _tensorflow_version(),
            "keras": version("keras"),
            "numpy": version("numpy"),
        },
    }


def _tensorflow_version() -> str:
    # The module is asked, because the package may be tensorflow or tensorflow-cpu.
    import tensorflow as tf

    return str(tf.__version__)


def _plot_learning_curve(history: dict[str, list[float]], path: Path) -> None:
    # pyplot is not used, because it keeps every figure and looks for a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        epochs = range(1, len(history[metric]) + 1)
        axes.plot(epochs, history[metric], marker="o", label="training")
        axes.plot(epochs, history[f"val_{metric}"], marker="o", label="validation")
        # The axis is wide enough to show whole numbers beside a single epoch.
        axes.set(xlabel="epoch", ylabel=metric, xlim=(0, len(epochs) + 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    figure.savefig(path)


def _plot_confusion(
    confusion: NDArray[np.int64], labels: tuple[str, ...], path: Path
) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    # Shares are taken by row, so that rare classes show, too. A row without images
    # stays white.
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the true class")
    axes.set(xlabel="predicted", ylabel="true")
    if len(labels) <= _MAX_NUMBERED_CLASSES:
        # A label may be any text, and a dollar sign in it must not begin a formula.
        axes.set_xticks(range(len(labels)), labels, rotation=45, parse_math=False)
        axes.set_yticks(range(len(labels)), labels, parse_math=False)
        for (row, column), count in np.ndenumerate(confusion):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    with warnings.catch_warnings():
        # The plot's font lacks some scripts; labels.txt has all labels.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(path)
