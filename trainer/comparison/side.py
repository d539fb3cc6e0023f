"""One of the two bundles of a comparison: its figures, as far as they are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.errors import BundleError
from bundle.folder import ONNX
from bundle.parity import read_parity
from bundle.report import METRICS, read_metrics


@dataclass(frozen=True)
class Side:
    """The figures of one bundle; None stands for a figure that is not known.

    Attributes:
        shown: the bundle as the user named it.
        data_set: the name of the data set.
        how: the network, the recipe, and what the recipe chose.
        test_samples: the number of test images or rows.
        accuracy: the share of them that are classified right, 0..1.
        loss: the loss on them.
        ece: the expected calibration error, 0..1.
        parameters: the number of the network's weights.
        epochs: the number of passes through the data.
        seconds: the time of the training.
        bundle_bytes: the bytes of all files of the bundle.
        onnx_bytes: the bytes of model.onnx.
        milliseconds: the time of one item in ONNX Runtime, by parity.json.
        recall: the share of each class's images that are found, by the class's label.
        auc: the area below the ROC curve of a table's classes, as a mean, 0..1.
        r2: the share of the variance that a regression explains.
        rmse: the root of the mean squared error of a regression.
        mae: the mean absolute error of a regression.
    """

    shown: str
    data_set: str
    how: str
    test_samples: float | None
    accuracy: float | None
    loss: float | None
    ece: float | None
    parameters: float | None
    epochs: float | None
    seconds: float | None
    bundle_bytes: float
    onnx_bytes: float | None
    milliseconds: float | None
    recall: Mapping[str, float | None]
    auc: float | None = None
    r2: float | None = None
    rmse: float | None = None
    mae: float | None = None


def read_side(shown: str, folder: Path) -> Side:
    """Read the figures of a bundle.

    Args:
        shown: the bundle as the user named it.
        folder: the bundle's folder.

    Raises:
        BundleError: the bundle has no metrics, or they or its proof are broken.
    """
    metrics = read_metrics(folder)
    if metrics is None:
        raise BundleError(
            f"{shown} has no {METRICS}, with which it could be compared; trainer run"
            " writes this file"
        )
    parity = read_parity(folder)
    times = parity.milliseconds_per_image if parity else {}
    files = [path for path in folder.rglob("*") if path.is_file()]
    onnx = folder / ONNX
    return Side(
        shown=shown,
        data_set=str(metrics.get("data_set", "")),
        how=_how(metrics),
        test_samples=_number(metrics.get("test_samples")),
        accuracy=_number(metrics.get("test_accuracy")),
        loss=_number(metrics.get("test_loss")),
        ece=_number(metrics.get("ece")),
        parameters=_number(metrics.get("parameters")),
        epochs=_number(metrics.get("epochs")),
        seconds=_number(metrics.get("seconds")),
        bundle_bytes=sum(path.stat().st_size for path in files),
        onnx_bytes=onnx.stat().st_size if onnx.is_file() else None,
        milliseconds=_number(times.get("onnxruntime")),
        auc=_number(metrics.get("auc")),
        r2=_number(metrics.get("r2")),
        rmse=_number(metrics.get("rmse")),
        mae=_number(metrics.get("mae")),
        recall=_recall(metrics.get("classes")),
    )


def _how(metrics: Mapping[str, Any]) -> str:
    """Write what the report tells of the training; older reports tell less."""
    told = [str(metrics.get("network", "unknown network"))]
    for key, usual in (
        ("recipe", "quick"),
        ("augmentation", "none"),
        ("precision", "float32"),
        ("started_from", None),
    ):
        if (value := metrics.get(key, usual)) != usual:
            told.append(f"{key.replace('_', ' ')} {value}")
    return ", ".join(told)


def _number(value: Any) -> float | None:
    """Return a finite number; None for anything else: the file may be a stranger's."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e300 and math.isfinite(value) else None


def _recall(classes: Any) -> dict[str, float | None]:
    if not isinstance(classes, list):
        return {}
    return {
        str(found.get("label")): _number(found.get("recall"))
        for found in classes
        if isinstance(found, dict)
    }
