"""The report of README's own training: the real trainer, exporter and service."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bundle.manifest import verify_manifest
from tests.end_to_end.conftest import CLIENT, ROOT, RUNTIME, run, serving
from tests.pages import Page

PLOTS = {
    *("learning_curve.png", "confusion_matrix.png", "mistakes.png", "calibration.png"),
    *("parity.png", "latency.png"),
}


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "report" / "metrics.json").read_text())


def test_the_report_holds_all_plots_and_one_page(trained: Path) -> None:
    report = trained / "mnist" / "report"
    assert {path.name for path in report.iterdir()} == PLOTS | {
        *("metrics.json", "report.html")
    }
    for name in PLOTS:
        with Image.open(report / name) as picture:
            picture.load()
            # A plot that went wrong is of one colour.
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    page = Page((report / "report.html").read_text())
    assert page.open == []
    page.assert_needs_nothing()
    assert page.tags.count("img") == len(PLOTS)
    verify_manifest(trained / "mnist")


def test_the_figures_fit_to_each_other_and_to_mnist(trained: Path) -> None:
    metrics = metrics_of(trained / "mnist")
    matrix = np.array(metrics["confusion_matrix"])
    with np.load(ROOT / "trainer" / "data" / "mnist.npz") as arrays:
        counts = np.bincount(arrays["y_test"])
        means = arrays["x_test"].reshape(10_000, -1).mean(axis=1)
    assert matrix.sum(axis=1).tolist() == counts.tolist()
    assert matrix.trace() == round(metrics["test_accuracy"] * 10_000)
    reference = metrics["reference"]
    assert reference["predicted"] == matrix.sum(axis=0).tolist()
    assert reference["input"]["mean"]["mean"] == pytest.approx(means.mean())
    # A network with a softmax that was trained on the images themselves knows itself
    # well; Guo et al. found 0.01 to 0.17 in networks that do not.
    assert 0 < metrics["ece"] < 0.02
    assert (
        f"{metrics['test_accuracy']:.2%}"
        in (trained / "mnist" / "report" / "report.html").read_text()
    )


def test_the_command_of_the_report_is_that_of_readme(trained: Path) -> None:
    command = metrics_of(trained / "mnist")["command"]
    assert command == "trainer run --model mnist --epochs 1 --batch-size 128 --seed 4"


def test_the_proof_counts_what_it_compared_and_times_both(trained: Path) -> None:
    parity = json.loads((trained / "mnist" / "parity.json").read_text())
    # Each item has ten probabilities.
    assert sum(parity["differences"].values()) == 10 * parity["samples"]
    times = parity["milliseconds_by_batch"]
    assert next(iter(times)) == "1"
    for by_engine in times.values():
        assert sorted(by_engine) == ["onnxruntime", "tensorflow"]
        assert all(time > 0 for time in by_engine.values())


def test_a_service_shows_the_report_and_the_trainer_compares(store: Path) -> None:
    with serving(f"{RUNTIME} --workers 1", store) as server:
        reply = CLIENT.get(f"{server.url}/models/mnist/1/report")
        assert reply.status_code == 200
        assert reply.text == (store / "mnist" / "report" / "report.html").read_text()
        assert reply.headers["Content-Security-Policy"].endswith("sandbox")
        figures = CLIENT.get(f"{server.url}/download/mnist/report/metrics.json")
        assert figures.json() == metrics_of(store / "mnist")
    output = run("trainer compare mnist:1 ./mnist --json", store)
    assert json.loads(output)["difference"]["accuracy"] == 0
