"""Drift is told where the inputs or the answers move, and not where they do not."""

import numpy as np
import pytest

from bundle.folder import open_bundle
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.models.model import Model
from runtime.watching.drift import MOST_ITEMS, DriftOfModel
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend
from tests.runtime.watching.examples import (
    images,
    reference_of,
    scores,
    write_metrics,
    write_watched,
)


@pytest.fixture
def drift_of(tmp_path):
    """Return a function that begins to count for the bundle in a folder."""

    def drift_of(folder=None, least=500):
        bundle = open_bundle(folder or write_watched(tmp_path / "linear"))
        model = Model(bundle, 1, Opened(FakeBackend()), None)
        return DriftOfModel(model, 3600, least)

    return drift_of


def feed(drift, pixels, as_pixels=np.asarray):
    """Answer pixels one by one, as the service does."""
    items = as_pixels(pixels).astype(np.float32)
    answers = scores(items)
    for number in range(len(items)):
        drift.note(items[number : number + 1], answers[number : number + 1])
        if number % MOST_ITEMS == MOST_ITEMS - 1:
            drift.add_up()
    drift.add_up()


def test_the_test_set_itself_does_not_drift(drift_of):
    drift = drift_of()
    feed(drift, images(0))
    told = drift.describe([])
    assert (told["state"], told["items"]) == ("same", 1000)
    assert told["psi"] == dict.fromkeys(told["psi"], 0.0)
    assert [*told["psi"]] == ["predicted", "confidence", "mean", "spread", "clipped"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_inputs_of_the_same_kind_do_not_drift(drift_of, seed):
    drift = drift_of()
    feed(drift, images(seed))
    told = drift.describe([])
    assert told["state"] == "same"
    assert max(told["psi"].values()) < 0.1


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        (lambda pixels: pixels // 3, "mean"),
        (lambda pixels: (pixels - 100.0) / 4 + 100, "spread"),
        (lambda pixels: np.where(pixels < 120, 0, pixels), "clipped"),
        (lambda pixels: pixels * [[[1], [0]], [[0], [0]]], "predicted"),
    ],
    ids=["darker", "flatter", "clipped", "one class"],
)
def test_shifted_inputs_raise_the_index(drift_of, change, figure):
    drift = drift_of()
    feed(drift, images(1), change)
    told = drift.describe([])
    assert told["state"] == "drifted"
    assert told["psi"][figure] > 0.25


def test_a_small_change_is_told_as_moved(drift_of):
    drift = drift_of()
    feed(drift, images(1), lambda pixels: pixels * 0.8)
    told = drift.describe([])
    assert told["state"] in ("moved", "drifted")


def test_too_few_items_are_not_judged(drift_of):
    drift = drift_of(least=100)
    feed(drift, images(0, 99) // 3)
    told = drift.describe([])
    assert (told["state"], told["items"], told["least_items"]) == ("too few", 99, 100)
    assert set(told["psi"].values()) == {None}
    feed(drift, images(0, 1))
    assert drift.describe([])["state"] == "drifted"


def test_the_windows_of_other_processes_count_too(drift_of, tmp_path):
    here, there = drift_of(), drift_of(tmp_path / "linear")
    feed(here, images(0)[:400])
    feed(there, images(0)[400:])
    assert here.describe([])["state"] == "too few"
    told = here.describe([there.to_json()])
    assert (told["state"], told["items"]) == ("same", 1000)
    assert set(told["psi"].values()) == {0.0}


def test_a_busy_model_is_counted_in_part(drift_of):
    drift = drift_of()
    one, answer = images(0, 1).astype(np.float32), scores(images(0, 1))
    for _ in range(10 * MOST_ITEMS):
        drift.note(one, answer)
    drift.add_up()
    assert drift.describe([])["items"] == MOST_ITEMS
    many = images(0, 10 * MOST_ITEMS)
    drift.note(many.astype(np.float32), scores(many))
    drift.add_up()
    assert drift.describe([])["items"] == 2 * MOST_ITEMS


def test_arrays_by_name_are_counted_as_well(drift_of):
    drift = drift_of(least=1)
    pixels = images(0, 10).astype(np.float32)
    drift.note({"pixels": pixels}, {"scores": scores(pixels), "other": pixels})
    drift.add_up()
    told = drift.describe([])
    assert told["items"] == 10
    assert None not in told["psi"].values()


def test_nothing_is_kept_but_counts(drift_of):
    drift = drift_of()
    feed(drift, images(0, 10))
    assert drift._waiting == []
    for slot in drift.to_json().values():
        for numbers in slot.values():
            assert {type(number) for number in numbers} == {int}


def test_a_model_of_scaled_pixels_has_no_figures_of_its_inputs(drift_of, tmp_path):
    params = {"preprocess": {"scale": 1 / 255}}
    folder = write_watched(tmp_path / "scaled", params=params)
    drift = drift_of(folder, least=1)
    feed(drift, images(0, 5))
    assert [*drift.describe([])["psi"]] == ["predicted", "confidence"]


def test_a_bundle_without_a_report_says_what_is_missing(drift_of, tmp_path):
    drift = drift_of(write_bundle(tmp_path / "bare"))
    assert drift.room == 0
    feed(drift, images(0, 5))
    told = drift.describe([])
    assert told["state"] == "not comparable"
    assert "report/metrics.json" in told["reason"]


def test_a_report_that_cannot_be_used_says_why(drift_of, tmp_path):
    folder = write_bundle(tmp_path / "wrong")
    write_metrics(folder, {**reference_of(images(0)), "predicted": [1]})
    told = drift_of(folder).describe([])
    assert told["state"] == "not comparable"
    assert "'predicted' has not one count for each label" in told["reason"]


def test_answers_that_are_no_scores_harm_nothing(drift_of):
    drift = drift_of()
    drift.note(np.zeros((1, 2, 2, 1), "f4"), np.array(["a"], object))
    drift.note(np.zeros((1, 2, 2, 1), "f4"), np.float32(1))
    drift.add_up()
    assert drift.describe([])["state"] == "too few"


@pytest.mark.parametrize(
    ("inputs", "room"),
    [
        ((), MOST_ITEMS),
        ((TensorSpec("words", np.dtype(object), (None,)),), MOST_ITEMS),
        # Four megabytes hold six pictures of 224 x 224 in colour, and none of 2048.
        ((TensorSpec("x", np.dtype("f4"), (None, 224, 224, 3)),), 6),
        ((TensorSpec("x", np.dtype("f4"), (None, 2048, 2048, 3)),), 1),
        ((TensorSpec("x", np.dtype("u1"), (None, None, None, 1)),), 4),
    ],
)
def test_large_inputs_that_wait_are_few(tmp_path, inputs, room):
    bundle = open_bundle(write_watched(tmp_path / "any", params={"img_channels": 0}))
    model = Model(bundle, 1, Opened(FakeBackend(inputs=inputs)), None)
    assert DriftOfModel(model, 3600, 500).room == room
