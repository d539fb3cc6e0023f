"""Answers of all shapes and sizes are compared; the differences are known by hand."""

import itertools

import numpy as np
import pytest

from bundle.params import Preprocess
from bundle.sample import Sample
from bundle.tolerance import Tolerance
from exporter.errors import ExportError
from exporter.proof.draws import Traits
from exporter.proof.parity import prove, worst_input
from runtime.backends import TensorSpec
from runtime.errors import BackendError
from tests.exporter.proof.answers import FLOAT, ROW, answering, constant, proved
from tests.runtime.fakes import PIXELS

# Nothing is as far apart as this.
LOOSE = Tolerance(atol=1e3, rtol=1e3, spread=1e9, logit=1e3)


# --- several outputs


@pytest.mark.parametrize(
    "answers",
    [
        [(0.5, 0.5, 0.0), (0.4, 0.6, 0.0)],
        [(5, 7, 9), (5, 7, 8)],
        [("a", "b", "c"), ("a", "b", "d")],
    ],
    ids=["real", "whole", "texts"],
)
def test_an_output_that_is_right_does_not_excuse_one_that_is_wrong(onnx_path, answers):
    right, wrong = (
        constant(
            *row, dtype=object if isinstance(row[0], str) else np.dtype(type(row[0]))
        )
        for row in answers
    )
    reference = {"a": right, "b": right}
    assert proved(onnx_path, reference, reference).passed
    for other in ({"a": wrong, "b": right}, {"a": right, "b": wrong}):
        parity = proved(onnx_path, reference, other)
        assert not parity.passed
        assert [case.passed for case in parity.cases] == [False] * 3


def test_each_output_has_a_range_of_its_own(onnx_path):
    """The first reaches from 0 to 100, the second from 0.25 to 0.5."""
    wide = constant(0, 50, 100)
    reference = {"a": wide, "b": constant(0.25, 0.25, 0.5)}
    other = {"a": wide, "b": constant(0.25, 0.26, 0.5)}
    parity = proved(onnx_path, reference, other)
    assert parity.share_of_spread == pytest.approx(0.04, rel=1e-5)


def test_an_answer_of_another_shape_fails_its_case(onnx_path):
    parity = proved(onnx_path, lambda rows: rows, lambda rows: rows[:, :2])
    assert [case.passed for case in parity.cases] == [False] * 3
    assert parity.worst is None


# --- axes


def test_the_best_class_is_that_of_each_place_in_an_answer(onnx_path):
    """Each item has two places with three classes; one place has another best class."""
    reference = constant((0.1, 0.3, 0.6), (0.5, 0.3, 0.2))
    other = constant((0.1, 0.3, 0.6), (0.3, 0.5, 0.2))
    parity = proved(onnx_path, reference, other, batch_sizes=(1, 2))
    assert {case.top1_agreement for case in parity.cases} == {0.5}
    assert parity.max_logit_diff == pytest.approx(np.log(0.5 / 0.3), rel=1e-5)
    assert proved(onnx_path, reference, reference, batch_sizes=(1, 2)).passed


def test_the_best_of_two_places_may_be_two_classes(onnx_path):
    """The second place is a tie, and the first one is not."""
    near = 0.4 + 1e-6
    reference = constant((0.1, 0.3, 0.6), (0.4, near, 0.2))
    other = constant((0.1, 0.3, 0.6), (near, 0.4, 0.2))
    assert proved(onnx_path, reference, other).top1_agreement == 1.0


def test_one_place_and_two_classes_have_a_best_class_too(onnx_path):
    parity = proved(onnx_path, constant((0.4, 0.6)), constant((0.6, 0.4)))
    assert parity.top1_agreement == 0.0


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_an_answer_of_no_numbers_equals_itself(onnx_path, shape):
    def nothing(rows):
        return np.zeros((len(rows), *shape), np.float32)

    parity = proved(onnx_path, nothing, nothing)
    assert parity.passed
    assert (parity.max_abs_diff, parity.share_of_spread) == (0.0, 0.0)


# --- limits


def test_the_worst_is_named_although_all_is_within_tolerance(onnx_path):
    parity = proved(onnx_path, constant(0.2, 0.3, 0.5), constant(0.2, 0.3, 0.500001))
    assert parity.passed
    assert parity.worst.element == (0, 2)


def test_the_worst_is_measured_in_its_own_tolerance(onnx_path):
    """The first is 0.002 apart with 0.0006 allowed; the last 0.003, with 0.0106."""
    parity = proved(onnx_path, constant(0, 0, 100), constant(0.002, 0, 100.003))
    assert parity.worst.element == (0, 0)
    assert parity.max_abs_diff == pytest.approx(0.003, rel=1e-2)


@pytest.mark.parametrize(("off", "passed"), [(6.3e-4, True), (6.6e-4, False)])
def test_the_tolerance_of_zero_is_in_root_mean_squares(onnx_path, off, passed):
    """That of 100, 50 and 0 is the root of 12,500 / 3, which is 64.5."""
    parity = proved(onnx_path, constant(100, 50, 0), constant(100, 50, off))
    assert parity.passed is passed


def test_a_difference_at_its_limit_is_allowed(onnx_path):
    """It is 1e-5 at zero, also between two best classes."""
    exact = np.float64
    zero = constant(0, 0, 0.5, dtype=exact)
    assert proved(onnx_path, zero, constant(1e-5, 0, 0.5, dtype=exact)).passed
    tie = proved(
        onnx_path,
        constant(-1e-5, 0, -1, dtype=exact),
        constant(0, -1e-5, -1, dtype=exact),
    )
    assert (tie.passed, tie.top1_agreement) == (True, 1.0)
    # A number that is no greater has no relative difference.
    small = proved(
        onnx_path,
        constant(1e-5, 0.5, 0.5, dtype=exact),
        constant(1.5e-5, 0.5, 0.5, dtype=exact),
    )
    assert small.max_rel_diff == 0.0


def test_the_noise_of_float32_is_no_share_of_the_spread(onnx_path):
    """2e-6 of the largest number is its own noise."""
    one = constant(0, 0, 1, dtype=np.float64)
    for off, share in ((2e-6, 0.0), (3e-6, 3e-6)):
        other = constant(off, 0, 1, dtype=np.float64)
        parity = proved(onnx_path, one, other)
        assert parity.share_of_spread == pytest.approx(share, rel=1e-9)


def test_a_share_and_a_logarithm_at_their_limits_are_allowed(onnx_path):
    """The logarithm of 1 is 0, so the limit has no relative part."""
    answers = constant(1, 0, 0), constant(0.99, 0, 0)
    seen = proved(onnx_path, *answers, tolerance=LOOSE)
    at = Tolerance(1e3, 1e3, seen.share_of_spread, seen.max_logit_diff)
    assert proved(onnx_path, *answers, tolerance=at).passed
    for below in (
        Tolerance(1e3, 1e3, seen.share_of_spread * 0.99, 1e3),
        Tolerance(1e3, 1e3, 1e9, seen.max_logit_diff * 0.99),
    ):
        assert not proved(onnx_path, *answers, tolerance=below).passed


def test_numbers_that_sum_to_one_are_no_probabilities_below_zero(onnx_path):
    parity = proved(onnx_path, constant(-0.5, 0.5, 1), constant(-0.4, 0.4, 1))
    assert parity.max_logit_diff == 0.0


def test_probabilities_sum_to_one_but_for_their_rounding(onnx_path):
    """Half numbers sum to one part in a thousand."""
    for last, logit in ((0.5008, np.log(3 / 2)), (0.502, 0.0)):
        parity = proved(onnx_path, constant(0.2, 0.3, last), constant(0.3, 0.2, last))
        assert parity.max_logit_diff == pytest.approx(logit, rel=1e-5)


# --- the ends of what numbers can be


@pytest.mark.parametrize(
    ("row", "other", "passed"),
    [
        # 1e200 squared is no number of float64.
        ((1e200, 0, 0), (1.00005e200, 0, 0), True),
        ((1e200, 0, 0), (2e200, 0, 0), False),
        ((1e200, 0, 0), (1e200, 1e197, 0), False),
        # A tolerance of 1.5e304 is more than the mark for "no number".
        ((1.5e308, 0, 0), (-1.5e308, 0, 0), False),
        ((1.5e308, 0, 0), (np.nan, 0, 0), False),
        ((1.5e308, 0, 0), (1.5e308, 0, 0), True),
    ],
)
def test_the_largest_numbers_have_a_tolerance(onnx_path, row, other, passed):
    exact = np.float64
    tolerance = Tolerance(1e-5, 1e-4, 1e9, 1e-3)
    answers = constant(*row, dtype=exact), constant(*other, dtype=exact)
    assert proved(onnx_path, *answers, tolerance=tolerance).passed is passed


def test_infinity_has_no_relative_difference(onnx_path):
    parity = proved(onnx_path, constant(np.inf, 0.5, 0.5), constant(1.0, 0.5, 0.5))
    assert (parity.passed, parity.max_rel_diff) == (False, 0.0)


def test_bytes_that_are_no_text_are_compared(onnx_path):
    """TensorFlow answers bytes, where ONNX Runtime has U+FFFD for what is no UTF-8."""
    reference = constant(b"a", b"\xff", dtype=object)
    for texts, passed in ((("a", "\ufffd"), True), (("a", "b"), False)):
        other = constant(*texts, dtype=object)
        parity = proved(onnx_path, reference, other)
        assert parity.passed is passed
        assert parity.worst is None, "texts have no number"


# --- answers that change


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ((1.00005, 0.0, 0.0), True),
        ((1.0, 5e-6, 0.0), True),
        ((1.0003, 0.0, 0.0), False),
        ((1.0, 3e-5, 0.0), False),
    ],
)
def test_a_second_answer_may_differ_as_sums_in_another_order(
    onnx_path, again, expected
):
    """Within 1e-5 + 1e-4 of the first."""
    last = [None]

    def other(rows):
        is_same, last[0] = rows is last[0], rows
        return constant(*(again if is_same else (1.0, 0.0, 0.0)))(rows)

    parity = proved(onnx_path, constant(1.0, 0.0, 0.0), other)
    assert (parity.is_repeatable, parity.passed) == (expected, expected)


def test_what_is_random_but_at_zero_cannot_be_proved(onnx_path):
    turns = itertools.count(1)
    with pytest.raises(ExportError, match="same input in two ways"):
        proved(onnx_path, lambda rows: rows * next(turns), lambda rows: rows)


# --- inputs


def test_a_bound_that_was_declared_must_be_taken(onnx_path):
    """Nobody promised that a model takes 0, unless its range begins there."""

    def positive(rows):
        if rows.min() <= 0:
            raise BackendError("not above 0")
        return rows

    with pytest.raises(ExportError, match="fails on 'lowest' inputs at batch size 1"):
        proved(onnx_path, positive, lambda rows: rows, ranges={"row": (0, 1)})


def test_one_batch_that_is_refused_does_not_end_a_case(onnx_path):
    """TensorFlow refuses the first of 32 rows of another length."""
    refused = []

    def picky(rows):
        if rows.shape[1] != 8 and not refused:
            refused.append(rows)
            raise BackendError("not this one")
        return rows

    free = (TensorSpec("row", FLOAT, (None, None)),)
    parity = prove(
        answering(picky, free, "tensorflow"),
        answering(lambda rows: rows, free),
        onnx_path,
        Preprocess(),
        None,
        batch_sizes=(1,),
    )
    (case,) = (case for case in parity.cases if case.inputs == "another length")
    assert case.samples == 31


def test_real_images_have_a_share_of_the_spread(onnx_path):
    """Only they are apart: by 0.01, where the answers reach from 0.25 to 0.5."""

    def other(pixels):
        answer = constant(0.25, 0.25, 0.5)(pixels)
        answer[(pixels == 7).all(axis=(1, 2, 3)), 1] = 0.26
        return answer

    images = np.full((2, 2, 2, 1), 7, np.uint8)
    parity = prove(
        answering(constant(0.25, 0.25, 0.5), name="tensorflow"),
        answering(other),
        onnx_path,
        Preprocess(),
        Sample(images, np.array([0, 1])),
    )
    assert parity.share_of_spread == pytest.approx(0.04, rel=1e-5)


WHOLE = (TensorSpec("row", np.dtype(np.int64), (None, 3)),)
FREE = (TensorSpec("row", FLOAT, (None, None)),)


@pytest.mark.parametrize(
    ("inputs", "is_worst", "options"),
    [
        (ROW, lambda rows: rows > 5, {"ranges": {"row": (0.0, 9.0)}}),
        (WHOLE, lambda rows: rows < 0, {"traits": Traits(signed=frozenset({"row"}))}),
        (FREE, lambda rows: rows > 1, {"lengths": {("row", 1): (2, 4)}}),
    ],
    ids=["ranges", "traits", "lengths"],
)
def test_the_worst_input_is_drawn_again_with_what_is_known(
    onnx_path, inputs, is_worst, options
):
    """The answer is the input itself, so the report tells one of its numbers."""

    def off(rows):
        answer = rows.astype(np.float32)
        answer[is_worst(rows)] += 100
        return answer

    reference = answering(lambda rows: rows.astype(np.float32), inputs, "tensorflow")
    parity = prove(
        reference, answering(off, inputs), onnx_path, Preprocess(), None, **options
    )
    worst = parity.worst
    assert worst.answered == pytest.approx(worst.expected + 100)
    (rows,) = worst_input(reference, worst, Preprocess(), None, **options).values()
    assert rows[worst.element] == worst.expected
    assert is_worst(rows)[worst.element]
    if "lengths" in options:
        assert {case.inputs for case in parity.cases} >= {"another length"}
        assert rows.shape[1] in (2, 4)


def test_the_worst_picture_is_prepared_again(onnx_path):
    """A real image of 51 is 0.2 for the model, and only there are they apart."""

    def flat(pixels):
        return pixels.reshape(len(pixels), 4)

    def off(pixels):
        return flat(np.where(np.isclose(pixels, 0.2), pixels + 1, pixels))

    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[1, 0, 1, 0] = 51
    known = Preprocess(scale=1 / 255), Sample(images, np.array([0, 1, 2]))
    reference = answering(flat, (PIXELS,), "tensorflow")
    parity = prove(
        reference, answering(off, (PIXELS,)), onnx_path, *known, batch_sizes=(3,)
    )
    worst = parity.worst
    (pixels,) = worst_input(reference, worst, *known).values()
    assert flat(pixels)[worst.element] == pytest.approx(0.2)
