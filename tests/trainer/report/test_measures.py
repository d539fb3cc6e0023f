"""The measures of a classifier, compared with sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.report.measures import (
    CALIBRATION_BINS,
    CalibrationBin,
    ClassMeasures,
    Mistake,
    calibration,
    class_measures,
    confident_mistakes,
    confusion_matrix,
    expected_calibration_error,
)


def test_confusion_has_the_truth_in_rows() -> None:
    # These are counted by hand: a 0 was taken for a 1 once, and a 2 for a 0 twice.
    true = np.array([0, 0, 1, 2, 2])
    predicted = np.array([0, 1, 1, 0, 0])
    assert confusion_matrix(true, predicted, 3).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
        [2, 0, 0],
    ]


def test_precision_is_of_a_column_and_recall_of_a_row() -> None:
    # Three of four cats are found, and one dog is taken for a cat: 3 of 4 predicted
    # cats are cats. One of two dogs is found, and a cat is taken for a dog.
    confusion = np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]])
    cat, dog, none = class_measures(confusion, ("cat", "dog", "none"))
    assert cat == ClassMeasures("cat", 4, 4, 3 / 4, 3 / 4, 3 / 4)
    assert dog == ClassMeasures("dog", 2, 2, 1 / 2, 1 / 2, 1 / 2)
    assert none == ClassMeasures("none", 0, 0, None, None, None)


def test_f1_is_the_harmonic_mean() -> None:
    # Precision is 1/1 and recall 1/3, so F1 is 2 * (1 * 1/3) / (1 + 1/3) = 1/2.
    first, second = class_measures(np.array([[1, 2], [0, 5]]), ("a", "b"))
    assert (first.precision, first.recall) == (1.0, pytest.approx(1 / 3))
    assert first.f1 == pytest.approx(1 / 2)
    # Precision is 5/7 and recall 1, so F1 is 2 * 5/7 / (12/7) = 10/12.
    assert second.f1 == pytest.approx(10 / 12)


def test_a_class_that_is_never_found_has_an_f1_of_zero() -> None:
    first, _ = class_measures(np.array([[0, 2], [1, 0]]), ("a", "b"))
    assert (first.precision, first.recall, first.f1) == (0.0, 0.0, 0.0)


def test_calibration_has_the_upper_bound_in_a_bin() -> None:
    # The bins are fifteenths: 0.4 = 6/15 is the top of the sixth, and 1 of the last.
    bins = calibration(np.array([0.0, 0.41, 0.45, 1.0]), np.array([0, 1, 0, 1], bool))
    assert len(bins) == CALIBRATION_BINS == 15
    assert bins[0] == CalibrationBin(0.0, pytest.approx(1 / 15), 1, 0.0, 0.0)
    assert bins[6].images == 2
    assert bins[6].confidence == pytest.approx(0.43)
    assert bins[6].accuracy == 0.5
    assert bins[14].images == 1
    assert bins[14].accuracy == 1.0
    assert bins[3] == CalibrationBin(
        pytest.approx(3 / 15), pytest.approx(4 / 15), 0, None, None
    )
    assert sum(found.images for found in bins) == 4


def test_ece_weighs_each_bin_by_its_images() -> None:
    # Three images with a confidence of 0.9, two of which are right, and one with 0.5
    # that is wrong: 3/4 * |2/3 - 0.9| + 1/4 * |0 - 0.5| = 0.175 + 0.125 = 0.3.
    bins = calibration(np.array([0.9, 0.9, 0.9, 0.5]), np.array([1, 1, 0, 0], bool))
    assert expected_calibration_error(bins) == pytest.approx(0.3)


def test_ece_of_a_model_that_knows_itself_is_zero() -> None:
    bins = calibration(np.array([0.75] * 4), np.array([1, 1, 1, 0], bool))
    assert expected_calibration_error(bins) == pytest.approx(0.0)


def test_the_surest_mistakes_come_first() -> None:
    scores = np.array(
        [[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.75, 0.25], [0.1, 0.9]], np.float32
    )
    # Images 0 and 3 are right.
    mistakes = confident_mistakes(np.array([0, 0, 0, 0, 0]), scores, 2)
    assert mistakes == (
        Mistake(1, 0, 1, pytest.approx(0.9)),
        Mistake(4, 0, 1, pytest.approx(0.9)),
    )


def test_a_perfect_model_has_no_mistakes() -> None:
    assert confident_mistakes(np.array([1]), np.array([[0.0, 1.0]]), 9) == ()
