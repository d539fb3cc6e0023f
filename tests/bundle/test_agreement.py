"""Two answers are compared; all numbers here are computed by hand.

tests/exporter/proof/ tries the limits of each tolerance.
"""

import numpy as np
import pytest

from bundle.agreement import APART, compare
from bundle.tolerance import BRAIN, HALF, SINGLE, Tolerance, proved_tolerance


def floats(*rows):
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("want", "got"),
    [
        (floats([1, 2]), floats([1, 2], [1, 2])),
        (floats([1, 2]), np.array([[1, 2]])),
        (np.array(["a"], object), np.array(["b"], object)),
    ],
    ids=["another shape", "another dtype", "another text"],
)
def test_answers_that_cannot_be_subtracted_have_no_difference(want, got):
    seen = compare(want, got, SINGLE)
    assert not seen.is_within
    assert seen.difference is None
    assert seen.excess.size == 0
    assert (seen.abs_diff, seen.rel_diff, seen.logit_diff) == (0.0, 0.0, 0.0)
    assert (seen.same.size, seen.same.dtype) == (0, np.bool_)


def test_the_same_texts_agree_as_bytes_and_as_words():
    seen = compare(np.array([b"a"], object), np.array(["a"], object), SINGLE)
    assert seen.is_within
    assert seen.difference is None


def test_a_near_whole_number_is_wrong():
    seen = compare(np.array([3, 5]), np.array([3, 7]), HALF)
    assert not seen.is_within
    assert seen.difference.tolist() == seen.excess.tolist() == [0, 2]
    assert (seen.abs_diff, seen.rel_diff, seen.logit_diff) == (2.0, 0.0, 0.0)
    assert seen.same.size == 0
    assert compare(np.array([3]), np.array([3]), SINGLE).is_within


def test_a_difference_is_told_in_units_of_what_is_allowed():
    # The root mean square of 3, 4 and 5 is 4.08; all that differs is 5 by 0.5.
    tolerance = Tolerance(atol=0.1, rtol=0.01, spread=1, logit=1)
    seen = compare(floats(3, 4, 5), floats(3, 4, 5.5), tolerance)
    allowed = 0.1 * np.sqrt(50 / 3) + 0.05
    assert seen.excess.tolist() == pytest.approx([0, 0, 0.5 / allowed])
    assert seen.is_within == (allowed > 0.5)
    assert (seen.abs_diff, seen.rel_diff) == (0.5, pytest.approx(0.1))


def test_probabilities_are_compared_as_logits_too():
    seen = compare(floats([0.25, 0.75]), floats([0.5, 0.5]), SINGLE)
    assert seen.logit_diff == pytest.approx(np.log(2))
    assert seen.same.tolist() == [False]
    assert not seen.is_within


def test_each_row_tells_whether_its_best_class_is_the_same():
    want = floats([1, 5, 0], [7, 2, 0])
    seen = compare(want, floats([9, 5, 0], [7, 2, 0]), SINGLE)
    assert seen.same.tolist() == [False, True]


def test_nan_equals_only_itself():
    assert compare(floats(np.nan), floats(np.nan), SINGLE).is_within
    seen = compare(floats(np.nan), floats(1), SINGLE)
    assert not seen.is_within
    assert seen.abs_diff == APART


@pytest.mark.parametrize("tolerance", [SINGLE, HALF, BRAIN])
def test_the_two_numbers_of_a_proof_tell_its_tolerance(tolerance):
    assert proved_tolerance(tolerance.atol, tolerance.rtol) is tolerance


def test_other_numbers_of_a_proof_are_taken_as_they_are():
    assert proved_tolerance(1e-3, 1e-2) == Tolerance(1e-3, 1e-2, 0.02, 1e-3)
    assert proved_tolerance(1e-5, 1e-2) == Tolerance(1e-5, 1e-2, 0.02, 1e-3)
