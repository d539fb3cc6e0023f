"""Inputs and answers get their bins; all numbers here are counted by hand."""

import numpy as np
import pytest

from runtime.watching.counting import count_all, count_answers, count_inputs
from runtime.watching.reference import Reference


@pytest.fixture
def reference():
    return Reference(
        {
            "predicted": (1, 1, 1),
            "confidence": (1, 1),
            "mean": (1, 1, 1),
            "spread": (1, 1),
            "clipped": (1, 1),
        },
        {
            "confidence": np.array([0.9]),
            "mean": np.array([10.0, 100.0]),
            "spread": np.array([1.0]),
            "clipped": np.array([0.5]),
        },
        np.arange(3),
    )


def shown(counts):
    return {figure: numbers.tolist() for figure, numbers in counts.items()}


def test_answers_are_counted_by_class_and_score(reference):
    rows = np.array([[0.05, 0.9, 0.05], [0.4, 0.3, 0.3], [0, 0, 1.0000001]], np.float32)
    # float32's 0.9 lies just below 0.9.
    assert shown(count_answers(reference, rows)) == {
        "predicted": [1, 1, 1],
        "confidence": [2, 1],
    }


def test_classes_of_one_group_are_counted_together(reference):
    grouped = Reference(
        {**reference.counts, "predicted": (2, 1)},
        reference.edges,
        np.array([0, 0, 1]),
    )
    rows = np.eye(3, dtype=np.float32)
    assert shown(count_answers(grouped, rows))["predicted"] == [2, 1]


@pytest.mark.parametrize(
    "answers",
    [np.zeros((2, 4), "f4"), np.zeros((2, 3, 1), "f4"), np.zeros((2, 3), "i4")],
)
def test_answers_that_are_no_scores_are_not_counted(reference, answers):
    assert count_answers(reference, answers) == {}


def test_answers_with_nan_are_not_counted(reference):
    rows = np.array([[np.nan, 0, 1], [0, np.inf, 0], [1, 0, 0]], np.float32)
    assert shown(count_answers(reference, rows))["predicted"] == [1, 0, 0]


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_inputs_are_counted_by_their_pixels(reference, dtype):
    images = np.array(
        [
            [[0], [255]],  # mean 127.5, spread 127.5, all clipped
            [[10], [10]],  # mean 10, no spread, none clipped
            [[0], [1]],  # mean 0.5, spread 0.5, half clipped
        ],
        dtype,
    )
    assert shown(count_inputs(reference, images)) == {
        "mean": [1, 1, 1],
        "spread": [2, 1],
        "clipped": [1, 2],
    }


def test_inputs_of_no_numbers_are_not_counted(reference):
    assert count_inputs(reference, np.array([["a"]], object)) == {}
    assert count_inputs(reference, np.zeros((2, 0), "f4")) == {}
    assert count_inputs(reference, np.full((1, 2), np.nan, "f4")) == {}


def test_numbers_beyond_all_pixels_are_in_the_last_bin(reference):
    huge = np.array([[1e308, 1e308]])
    assert shown(count_inputs(reference, huge))["mean"] == [0, 0, 1]


def test_requests_of_several_shapes_are_counted(reference):
    row = np.array([[1, 0, 0]], np.float32)
    pairs = [
        (np.full((1, 2, 2, 1), 50.0), row),
        (np.full((2, 3, 3, 1), 200.0), np.tile(row, (2, 1))),
        (None, row),
    ]
    counted = shown(count_all(reference, pairs))
    assert counted["mean"] == [0, 1, 2]
    assert counted["predicted"] == [4, 0, 0]
