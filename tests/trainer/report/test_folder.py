"""report/ has figures, pictures and a page, which needs no other file and no script."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import trainer.report.folder
import trainer.report.metrics
from tests.pages import Page
from tests.trainer.report.examples import LABELS, a_data_set, a_training
from trainer.data import DataSet
from trainer.report.folder import write_report
from trainer.report.plots import PLOTS
from trainer.settings import Settings
from trainer.train import Training
from trainer.trials import Trial

COMMAND = "trainer run --fin 'a <b>' --seed 3"


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.report.metrics, "_tensorflow_version", lambda: "2.21.0")


def written(
    folder: Path, data: DataSet | None = None, **changes: Any
) -> tuple[dict[str, Any], str]:
    """Write a report; return its metrics and its page."""
    data = data or a_data_set()
    training: Training = a_training(data, **changes)
    write_report(folder, "pets & co", training, data, "pets.npz", COMMAND)
    report = folder / "report"
    metrics = json.loads((report / "metrics.json").read_text())
    return metrics, (report / "report.html").read_text()


def test_the_metrics_are_those_of_the_training(tmp_path: Path) -> None:
    metrics, _ = written(tmp_path)
    assert metrics["schema_version"] == 1
    assert (metrics["model"], metrics["data_set"]) == ("pets & co", "pets.npz")
    assert (metrics["seed"], metrics["epochs"], metrics["batch_size"]) == (3, 2, 5)
    assert (metrics["train_samples"], metrics["test_samples"]) == (10, 30)
    assert metrics["image_shape"] == [12, 12, 1]
    assert metrics["parameters"] == 1234
    assert metrics["seconds"] == 12.34
    assert metrics["history"]["val_loss"] == [0.4, 0.3]
    assert (metrics["test_loss"], metrics["test_accuracy"]) == (0.3, 0.8)
    assert metrics["command"] == COMMAND
    # Every fifth of thirty images is wrong, each with a confidence of 0.8, so the model
    # knows itself: 0.8 of its answers are right.
    assert metrics["mistakes"] == 6
    assert metrics["ece"] == pytest.approx(0.0, abs=1e-6)
    # The wrong images are the test images 0, 5, 10 and on. Their classes are
    # 1, 0, 2, 1, 0 and 2 of three, because the first test image is the eleventh of all.
    assert metrics["confusion_matrix"] == [[8, 2, 0], [0, 8, 2], [2, 0, 8]]
    assert [found["label"] for found in metrics["classes"]] == list(LABELS)
    assert [found["recall"] for found in metrics["classes"]] == [0.8, 0.8, 0.8]
    assert sorted(metrics["versions"]) == [
        *("keras", "numpy", "python", "tensorflow", "tfaas-onnx")
    ]
    assert metrics["versions"]["tensorflow"] == "2.21.0"


def test_the_recipe_and_its_trials_are_told(tmp_path: Path) -> None:
    first = Trial(0.003, 1.0, "none", 1.0, 0.25, 0.9, 1.5)
    trials = (first, dataclasses.replace(first, augmentation="affine", loss=math.inf))
    settings = Settings(2, 5, 3, network="/home/a/nets.py:build", start="models/old")
    metrics, page = written(tmp_path, trials=trials, settings=settings)
    assert (metrics["recipe"], metrics["precision"]) == ("quick", "float32")
    # No folder of this machine is told.
    assert (metrics["network"], metrics["started_from"]) == ("nets.py:build", "old")
    assert [trial["augmentation"] for trial in metrics["trials"]] == ["none", "affine"]
    assert [trial["chosen"] for trial in metrics["trials"]] == [True, False]
    # JSON has no infinity.
    assert [trial["val_loss"] for trial in metrics["trials"]] == [0.25, None]
    assert "<td>affine x 1</td><td>not a number</td>" in page
    assert "<td>0.2500</td><td>chosen</td>" in page


def test_the_metrics_have_the_reference_for_later_requests(tmp_path: Path) -> None:
    reference = written(tmp_path)[0]["reference"]
    # Each class is taken for itself eight times, and for another one twice.
    assert reference["predicted"] == [10, 10, 10]
    assert sum(reference["confidence"]["counts"]) == 30
    assert sorted(reference["input"]) == ["clipped", "mean", "spread"]
    for found in (reference["confidence"], *reference["input"].values()):
        assert sorted(found) == ["counts", "edges", "mean"]
        assert len(found["counts"]) == len(found["edges"]) + 1
        assert sum(found["counts"]) == 30


def test_each_plot_is_a_picture(tmp_path: Path) -> None:
    written(tmp_path)
    for name in PLOTS:
        with Image.open(tmp_path / "report" / f"{name}.png") as picture:
            picture.load()
            assert picture.format == "PNG"
            assert picture.width > 500


def test_the_page_needs_no_other_file_and_no_script(tmp_path: Path) -> None:
    page = Page(written(tmp_path)[1])
    assert page.open == []
    page.assert_needs_nothing()
    assert page.tags.count("img") == len(PLOTS)


def test_each_picture_of_the_page_has_a_text_and_a_size(tmp_path: Path) -> None:
    page = Page(written(tmp_path)[1])
    for attribute in ("alt", "width", "height"):
        values = [v for tag, n, v in page.attributes if (tag, n) == ("img", attribute)]
        assert len(values) == len(PLOTS)
        assert all(values)


def test_the_page_says_what_was_trained(tmp_path: Path) -> None:
    words = Page(written(tmp_path)[1]).words
    for text in (
        *("pets & co", "pets.npz", "80.00%", "6 of 30", "12.3 s", "1,234", COMMAND),
        *(*LABELS, "2.21.0", "2 epochs"),
    ):
        assert text in words


def test_texts_of_the_data_set_are_no_markup(tmp_path: Path) -> None:
    page = Page(written(tmp_path)[1])
    assert "b" not in page.tags


def test_pictures_in_colour_and_many_classes_are_drawn(tmp_path: Path) -> None:
    data = a_data_set(tuple(f"class {number:02}" for number in range(25)), channels=3)
    metrics, _ = written(tmp_path, data)
    assert len(metrics["confusion_matrix"]) == 25
    for name in PLOTS:
        assert (tmp_path / "report" / f"{name}.png").is_file()


def test_of_very_many_classes_the_page_has_the_worst(tmp_path: Path) -> None:
    data = a_data_set(tuple(f"c{number:03}" for number in range(600)))
    metrics, text = written(tmp_path, data)
    assert metrics["confusion_matrix"] is None
    assert len(metrics["classes"]) == 600
    assert not (tmp_path / "report" / "confusion_matrix.png").exists()
    # Only the classes 10 to 39 have test images, and the rest have no F1.
    words = Page(text).words
    assert "100 classes with the lowest F1" in words
    assert "c010" in words
    assert "c599" not in words


def test_a_model_without_mistakes_has_no_pictures_of_them(tmp_path: Path) -> None:
    data = a_data_set()
    scores = np.eye(3, dtype=np.float32)[data.y_test]
    metrics, text = written(tmp_path, data, scores=scores, test_accuracy=1.0)
    assert metrics["confident_mistakes"] == []
    assert not (tmp_path / "report" / "mistakes.png").exists()
    assert "classified every test image right" in Page(text).words


def test_numbers_that_json_lacks_are_null(tmp_path: Path) -> None:
    data = a_data_set(("a", "b"))
    nan = float("nan")
    scores = np.full((30, 2), np.nan, np.float32)
    history = {name: [nan] for name in ("loss", "val_loss", "accuracy", "val_accuracy")}
    metrics, text = written(
        tmp_path, data, scores=scores, history=history, test_loss=nan
    )
    assert metrics["test_loss"] is None
    assert metrics["history"]["loss"] == [None]
    assert "not a number" in Page(text).words


def test_a_plot_that_fails_is_a_warning_and_the_rest_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(metrics: object, images: object) -> bytes:
        raise RuntimeError("no font")

    monkeypatch.setitem(PLOTS, "calibration", fail)
    metrics, text = written(tmp_path)
    assert capsys.readouterr().err == (
        "warning: the report lacks calibration.png: no font\n"
    )
    assert metrics["calibration"]
    assert not (tmp_path / "report" / "calibration.png").exists()
    page = Page(text)
    assert page.tags.count("img") == len(PLOTS) - 1
    assert "Does its confidence" not in page.words


def test_the_network_that_was_trained_counts_its_parameters(tmp_path: Path) -> None:
    model = SimpleNamespace(count_params=lambda: 7)
    assert written(tmp_path, model=model)[0]["parameters"] == 7
