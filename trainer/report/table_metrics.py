"""The keys of metrics.json that tables have and images do not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from trainer.report.importance import importances
from trainer.report.regression import regression
from trainer.report.roc import roc
from trainer.report.scores import scores_of
from trainer.tables.answers import answers
from trainer.tables.dataset import TableSet
from trainer.train import Training

# So many training rows show the distribution of their scores.
_ROWS = 10_000
# Curves of more classes would fill the page.
_MAX_CURVES = 20


def table_metrics(training: Training, data: TableSet) -> dict[str, Any]:
    """Measure a model of a table.

    Args:
        training: the fitted model and its scores of the test rows.
        data: the table.

    Returns:
        Dictionaries, lists, texts, None, and numbers, of which some may be NaN.
    """
    found = importances(
        lambda inputs: answers(training.model, inputs), data, training.settings.seed
    )
    return {
        "features": list(data.features),
        "label": data.label,
        "task": data.task,
        "is_weighted": data.w_test is not None,
        "importance": [asdict(one) for one in found],
        **(
            _of_classes(training, data)
            if data.task == "classes"
            else _of_regression(training, data)
        ),
    }


def _of_classes(training: Training, data: TableSet) -> dict[str, Any]:
    count = len(data.y_train)
    generator = np.random.default_rng(training.settings.seed)
    rows = np.sort(generator.permutation(count)[:_ROWS])
    inputs = {name: values[rows] for name, values in data.x_train.items()}
    trained = answers(training.model, inputs)
    w_train = None if data.w_train is None else data.w_train[rows]
    # The curve of one of two classes says what that of the other does.
    numbers = [1] if len(data.labels) == 2 else range(len(data.labels))
    curves: list[dict[str, Any]] = []
    distributions: list[dict[str, Any]] = []
    areas: list[float] = []
    for number in numbers:
        label, scores = data.labels[number], training.scores[:, number]
        is_class = data.y_test == number
        curve = roc(is_class, scores, data.w_test)
        areas.append(curve.auc if curve else np.nan)
        if len(curves) == _MAX_CURVES:
            continue
        curves.append({"label": label, **(asdict(curve) if curve else {"auc": None})})
        one = scores_of(
            label,
            (trained[:, number], data.y_train[rows] == number, w_train),
            (scores, is_class, data.w_test),
        )
        distributions.append(asdict(one))
    known = [area for area in areas if area == area]
    return {
        "auc": float(np.mean(known)) if known else None,
        "roc": curves,
        "score_distributions": distributions,
    }


def _of_regression(training: Training, data: TableSet) -> dict[str, Any]:
    found = asdict(regression(data.y_test, training.scores[:, 0], data.w_test))
    return {name: found.pop(name) for name in ("rmse", "mae", "r2")} | {
        "regression": found
    }
