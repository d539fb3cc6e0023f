"""Two bundles side by side; the differences are done by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bundle.errors import BundleError
from tests.trainer.examples import run_trainer
from trainer.comparison.comparison import compare
from trainer.comparison.page import comparison_page
from trainer.comparison.side import Side, read_side

METRICS: dict[str, Any] = {
    "schema_version": 1,
    "data_set": "mnist.npz",
    "network": "cnn",
    "test_samples": 100,
    "test_accuracy": 0.9,
    "test_loss": 0.4,
    "ece": 0.02,
    "parameters": 34826,
    "epochs": 1,
    "seconds": 20.0,
    "classes": [
        {"label": "a", "recall": 0.8},
        {"label": "<i>b", "recall": 1.0},
        {"label": "c", "recall": None},
    ],
}
BETTER = {
    **METRICS,
    "network": "vgg-small",
    "recipe": "best",
    "augmentation": "affine",
    "precision": "mixed",
    "started_from": None,
    "test_accuracy": 0.95,
    "test_loss": 0.4,
    "ece": 0.03,
    "seconds": 35.5,
    "epochs": 3,
    "classes": [
        {"label": "a", "recall": 0.75},
        {"label": "<i>b", "recall": 0.5},
        {"label": "c", "recall": None},
    ],
}
PARITY = {
    "passed": True,
    "sha256": "00",
    "atol": 1e-5,
    "rtol": 1e-4,
    "max_abs_diff": 0.0,
    "max_rel_diff": 0.0,
    "top1_agreement": 1.0,
    "samples": 1,
    "milliseconds_per_image": {"tensorflow": 0.8, "onnxruntime": 0.03},
}


def a_bundle(folder: Path, metrics: object) -> Path:
    (folder / "report").mkdir(parents=True)
    (folder / "report" / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    first = a_bundle(tmp_path / "one", METRICS)
    (first / "model.onnx").write_bytes(bytes(2000))
    (first / "parity.json").write_text(json.dumps(PARITY))
    return first, a_bundle(tmp_path / "two", BETTER)


def test_a_side_tells_how_it_was_trained(folders: tuple[Path, Path]) -> None:
    how = read_side("two", folders[1]).how
    assert how == "vgg-small, recipe best, augmentation affine, precision mixed"
    assert f"({how})" in comparison_page(
        compare(*(read_side(folder.name, folder) for folder in folders))
    )


def run_compare(folders: tuple[Path, Path], *options: object) -> Result:
    return run_trainer("compare", *folders, *options)


def test_tables_have_figures_of_their_own(tmp_path: Path) -> None:
    classes = a_bundle(tmp_path / "c", {**METRICS, "auc": 0.9})
    numbers = {k: v for k, v in METRICS.items() if k not in ("classes", "ece")}
    numbers |= {"test_accuracy": None, "r2": 0.75, "rmse": 1234.5, "mae": 0.125}
    regression = a_bundle(tmp_path / "r", numbers)
    found = compare(read_side("c", classes), read_side("r", regression))
    cells = {row.name: row.cells[:2] for row in found.rows}
    assert cells["area below the ROC (AUC)"] == ("0.9000", "unknown")
    assert cells["explained variance (R²)"] == ("unknown", "0.7500")
    assert cells["root mean squared error"] == ("unknown", "1,234")
    assert cells["mean absolute error"] == ("unknown", "0.125")
    assert cells["accuracy"] == ("90.00%", "unknown")
    same = compare(read_side("r", regression), read_side("r", regression))
    assert "area below the ROC (AUC)" not in {row.name for row in same.rows}


def test_a_side_has_the_figures_of_its_files(folders: tuple[Path, Path]) -> None:
    side = read_side("one", folders[0])
    size = sum(path.stat().st_size for path in folders[0].rglob("*.*"))
    assert side == Side(
        shown="one",
        data_set="mnist.npz",
        how="cnn",
        test_samples=100,
        accuracy=0.9,
        loss=0.4,
        ece=0.02,
        parameters=34826,
        epochs=1,
        seconds=20.0,
        bundle_bytes=size,
        onnx_bytes=2000,
        milliseconds=0.03,
        recall={"a": 0.8, "<i>b": 1.0, "c": None},
    )


def test_what_a_strangers_metrics_hold_is_taken_for_nothing_else(
    tmp_path: Path,
) -> None:
    wrong = {
        "test_accuracy": "<b>",
        "test_loss": True,
        "ece": [1],
        "parameters": 10**400,
        "classes": [1, {"label": ["x"], "recall": {}}],
    }
    side = read_side("x", a_bundle(tmp_path, wrong))
    assert (side.accuracy, side.loss, side.ece, side.parameters) == (None,) * 4
    assert side.recall == {"['x']": None}
    assert read_side("x", a_bundle(tmp_path / "y", {"classes": 1})).recall == {}


@pytest.mark.parametrize("content", ["[]", "{", "null", "[" * 100_000])
def test_what_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    a_bundle(tmp_path, METRICS)
    (tmp_path / "report" / "metrics.json").write_text(content)
    with pytest.raises(BundleError, match=r"metrics\.json holds no metrics"):
        read_side("x", tmp_path)


def test_differences_are_those_of_b_to_a(folders: tuple[Path, Path]) -> None:
    first, second = (read_side(folder.name, folder) for folder in folders)
    second = dataclasses.replace(second, milliseconds=0.02)
    rows = {row.name: row for row in compare(first, second).rows}
    accuracy = rows["accuracy"]
    assert accuracy.cells == ("90.00%", "95.00%", "+5.00 points")
    assert accuracy.winner == "B"
    assert rows["test loss"].cells == ("0.4000", "0.4000", "same")
    assert rows["test loss"].winner == ""
    assert rows["calibration error (ECE)"].cells == ("0.0200", "0.0300", "+0.0100")
    assert rows["calibration error (ECE)"].winner == "A"
    assert rows["training time"].cells == ("20.0 s", "35.5 s", "+15.5 s")
    assert rows["epochs"].cells == ("1", "3", "+2")
    assert rows["epochs"].winner == ""
    assert rows["parameters"].cells == ("34,826", "34,826", "same")
    assert rows["size of model.onnx"].cells == ("2 kB", "unknown", "")
    assert rows["one item in ONNX Runtime"].cells == (
        *("0.030 ms", "0.020 ms", "-0.010 ms"),
    )
    assert rows["one item in ONNX Runtime"].winner == "B"


def test_the_class_that_differs_most_stands_first(folders: tuple[Path, Path]) -> None:
    comparison = compare(*(read_side(folder.name, folder) for folder in folders))
    assert [row.name for row in comparison.classes] == ["<i>b", "a", "c"]
    assert comparison.classes[0].cells == ("100.00%", "50.00%", "-50.00 points")
    assert comparison.classes[2].cells == ("unknown", "unknown", "")
    assert comparison.notes == ()


def test_other_data_and_other_classes_are_noted(folders: tuple[Path, Path]) -> None:
    first = read_side("one", folders[0])
    second = dataclasses.replace(first, data_set="", recall={"z": 0.5})
    comparison = compare(first, second)
    assert comparison.notes == (
        "A was tested on mnist.npz and B on unknown data, so their accuracies may not"
        " be comparable",
        "A and B have different classes",
    )
    assert {row.name: row.values for row in comparison.classes}["z"] == (None, 0.5)


def test_the_page_escapes_what_bundles_say(folders: tuple[Path, Path]) -> None:
    sides = [read_side(f"<s>{folder.name}", folder) for folder in folders]
    page = comparison_page(compare(*sides))
    assert "<i>" not in page
    assert "<s>" not in page
    assert "&lt;i&gt;b" in page
    assert "<script" not in page


def test_the_command_prints_a_table(folders: tuple[Path, Path]) -> None:
    result = run_compare(folders)
    assert result.exit_code == 0
    for text in ("95.00%", "+5.00 points", "recall by class", "-50.00 points"):
        assert text in result.output


def test_the_command_prints_json(folders: tuple[Path, Path]) -> None:
    told = json.loads(run_compare(folders, "--json").output)
    assert told["a"]["accuracy"] == 0.9
    assert told["b"]["accuracy"] == 0.95
    assert told["difference"]["accuracy"] == pytest.approx(0.05)
    assert told["class_differences"] == {
        "<i>b": -0.5,
        "a": pytest.approx(-0.05),
        "c": None,
    }
    assert told["notes"] == []


def test_the_command_writes_a_page(folders: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run_compare(folders, "--json", "--html", page)
    json.loads(result.stdout)
    assert result.stderr == f"wrote {page}\n"
    assert "95.00%" in page.read_text()


def test_models_of_a_store_are_compared(tmp_path: Path) -> None:
    for number, metrics in ((1, METRICS), (2, BETTER)):
        folder = a_bundle(tmp_path / "mnist" / str(number), metrics)
        (folder / "params.json").write_text('{"name": "mnist"}')
    result = run_trainer("compare", "mnist:1", "mnist", "--models-dir", tmp_path)
    assert result.exit_code == 0
    assert "+5.00 points" in result.output


def test_a_bundle_without_a_report_is_a_sentence(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "three").mkdir()
    result = run_trainer("compare", folders[0], tmp_path / "three")
    assert result.exit_code == 2
    assert "three has no report/metrics.json" in result.stderr
