"""The report on a table: metrics.json, pictures and page, without TensorFlow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer.report.table_examples import a_table, a_training
from trainer.report import folder as folder_module
from trainer.report import metrics as metrics_module
from trainer.report.folder import write_report
from trainer.tables.dataset import TableSet
from trainer.train import Training


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "_tensorflow_version", lambda: "2.0")


def written(folder: Path, data: TableSet, training: Training) -> tuple[Any, str]:
    write_report(folder, "higgs", training, data, "h.root:t", "trainer run <x>")
    metrics = json.loads((folder / "report/metrics.json").read_text())
    return metrics, (folder / "report/report.html").read_text()


def pictures(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "report").glob("*.png")}


def test_a_table_of_classes_has_its_figures(tmp_path: Path) -> None:
    data = a_table()
    metrics, page = written(tmp_path, data, a_training(data))
    assert metrics["features"] == ["a", "b"]
    assert (metrics["task"], metrics["label"]) == ("classes", "$is$")
    assert metrics["is_weighted"] is True
    # The model's scores rise with 'a', which decides the class.
    assert metrics["auc"] == pytest.approx(1)
    (curve,) = metrics["roc"]
    assert curve["label"] == "$yes$"
    assert [one["feature"] for one in metrics["importance"]] == ["a", "b"]
    assert metrics["reference"]["input"] == {}
    assert sum(metrics["reference"]["predicted"]) == 30
    assert "image_shape" not in metrics
    assert pictures(tmp_path) == {
        *("calibration", "confusion_matrix", "importance", "learning_curve"),
        *("roc", "scores"),
    }
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "<b>no</b>" not in page
    assert "accuracy on 30 test rows" in page
    assert "10 rows of 2 features" in page
    assert "image" not in page.replace("data:image", "").split("</style>")[1]


def test_a_regression_has_its_figures(tmp_path: Path) -> None:
    data = a_table("regression")
    metrics, page = written(tmp_path, data, a_training(data))
    error = np.abs(data.x_test["row"][:, 0])
    weights = data.w_test
    assert metrics["mae"] == pytest.approx(np.average(error, weights=weights), rel=1e-4)
    assert "classes" not in metrics
    assert "reference" not in metrics
    assert len(metrics["regression"]["true"]) == 30
    assert pictures(tmp_path) == {"importance", "learning_curve", "regression"}
    assert "R² on 30 test rows" in page


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "TABLE_PLOTS", {})


@pytest.mark.usefixtures("no_pictures")
def test_a_training_that_ended_in_nan_is_told(tmp_path: Path) -> None:
    for task, name in (("classes", "auc"), ("regression", "rmse")):
        data = a_table(task)  # type: ignore[arg-type]
        training = a_training(data)
        lost = a_training(data, scores=training.scores * np.nan)
        folder = tmp_path / task
        folder.mkdir()
        metrics, page = written(folder, data, lost)
        assert metrics[name] is None
        assert "not a number" in page


@pytest.mark.usefixtures("no_pictures")
def test_more_classes_have_a_curve_each(tmp_path: Path) -> None:
    data = a_table()
    three = replace(data, labels=("x", "y", "z"), y_test=np.arange(30) % 3)
    scores = np.full((30, 3), 0.2, np.float32)
    scores[np.arange(30), np.arange(30) % 3] = 0.6
    training = a_training(data, scores=scores)
    training.model.predict_on_batch = lambda row: np.full((len(row), 3), 1 / 3)
    metrics, _ = written(tmp_path, three, training)
    assert [curve["label"] for curve in metrics["roc"]] == ["x", "y", "z"]
    assert metrics["auc"] == pytest.approx(1)
