"""Two fakes differ by known amounts, and the report's numbers are computed by hand."""

import functools
import itertools
import json
import platform
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from bundle.params import Preprocess
from bundle.sample import Sample
from exporter.errors import ExportError
from exporter.proof.parity import (
    BATCH_SIZES,
    TIMED_RUNS,
    TIMED_SECONDS,
    _milliseconds,
    _versions,
    prove,
    worst_input,
)
from runtime.backends import TensorSpec
from runtime.errors import BackendError
from tests.exporter.proof.answers import FLOAT, ROW, answering, constant, proved
from tests.runtime.fakes import FakeBackend


def report(onnx_path, row, other, **options):
    reference = FakeBackend(row, name="tensorflow")
    candidate = FakeBackend(other, name="onnxruntime")
    sample = options.pop("sample", None)
    return prove(reference, candidate, onnx_path, Preprocess(**options), sample)


def test_equal_answers_pass(onnx_path):
    parity = report(onnx_path, (0.1, 0.2, 0.7), (0.1, 0.2, 0.7))
    assert parity.passed
    assert parity.max_abs_diff == parity.max_rel_diff == 0.0
    assert parity.top1_agreement == 1.0


def test_the_differences_are_the_largest_there_are(onnx_path):
    parity = report(onnx_path, (0.25, 0.25, 0.5), (0.25, 0.26, 0.5))
    assert parity.max_abs_diff == pytest.approx(0.01, rel=1e-5)
    assert parity.max_rel_diff == pytest.approx(0.04, rel=1e-5)
    assert not parity.passed


@pytest.mark.parametrize(
    ("difference", "passed"), [(1.0e-5, True), (1.09e-4, True), (1.15e-4, False)]
)
def test_the_tolerance_is_absolute_plus_relative(onnx_path, difference, passed):
    """The tolerance at 1.0 is 1e-5 + 1e-4."""
    parity = report(onnx_path, (0.0, 0.0, 1.0), (0.0, 0.0, 1.0 + difference))
    assert parity.passed is passed


def test_another_best_class_fails_even_when_every_value_is_near(onnx_path):
    """A tie does not count as such a case, because both classes are best."""
    near = report(onnx_path, (0.5, 0.5 + 1e-6, 0.0), (0.5 + 1e-6, 0.5, 0.0))
    assert near.passed
    other = report(onnx_path, (0.4, 0.6, 0.0), (0.6, 0.4, 0.0))
    assert other.top1_agreement == 0.0
    assert not other.passed


def test_nan_where_there_was_a_number_fails_and_is_still_json(onnx_path):
    parity = report(onnx_path, (0.1, 0.2, 0.7), (0.1, np.nan, 0.7))
    assert not parity.passed
    json.loads(
        json.dumps(parity.to_json(), allow_nan=False),
    )


def test_the_same_nan_on_both_sides_is_the_same(onnx_path):
    parity = report(onnx_path, (np.nan, 0.2, 0.7), (np.nan, 0.2, 0.7))
    assert parity.max_abs_diff == 0.0
    assert parity.passed


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ((np.inf, 0.2, 0.7), (1.0, 0.2, 0.7)),
        ((np.inf, 0.2, 0.7), (-np.inf, 0.2, 0.7)),
        ((0.1, 0.2, -np.inf), (0.1, 0.2, -20.0)),
        ((0.1, 0.2, 0.7), (0.1, 0.2, np.inf)),
    ],
)
def test_infinity_is_near_nothing_but_itself(onnx_path, row, other):
    assert not report(onnx_path, row, other).passed
    assert report(onnx_path, row, row).passed


def test_every_kind_of_input_is_tried_at_every_batch_size(onnx_path):
    images = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2, 1)
    sample = Sample(images, np.array([0, 1, 2]))
    parity = report(onnx_path, (0, 0, 1), (0, 0, 1), sample=sample)
    assert {(case.inputs, case.batch_size) for case in parity.cases} == {
        (kind, size)
        for kind in ("sample", "random", "zeros", "white")
        for size in BATCH_SIZES
    }
    assert BATCH_SIZES == (1, 2, 7, 32)


def test_both_backends_are_asked_the_same(onnx_path):
    reference, candidate = FakeBackend(), FakeBackend()
    prove(reference, candidate, onnx_path, Preprocess(), None)
    compared = 0
    for asked, again in zip(reference.batches, candidate.batches, strict=False):
        if asked is again:
            compared += 1
    assert compared >= len(BATCH_SIZES) * 3


def test_random_pixels_cover_the_whole_range_of_a_picture(onnx_path):
    reference = FakeBackend()
    prove(reference, FakeBackend(), onnx_path, Preprocess(), None)
    seen = np.concatenate([b["pixels"].ravel() for b in reference.batches])
    assert (seen.min(), seen.max()) == (0, 255)


def test_inputs_pass_through_the_bundles_preprocess(onnx_path):
    """The scale 1/255 means that the model never sees 255."""
    reference = FakeBackend()
    how = Preprocess(scale=1 / 255)
    prove(reference, FakeBackend(), onnx_path, how, None)
    seen = np.concatenate([b["pixels"].ravel() for b in reference.batches])
    assert (seen.min(), seen.max()) == (0, 1)


def test_a_fixed_batch_is_the_only_size(onnx_path):
    spec = TensorSpec("pixels", FLOAT, (4, 2, 2, 1))
    reference, candidate = FakeBackend(inputs=(spec,)), FakeBackend(inputs=(spec,))
    parity = prove(reference, candidate, onnx_path, Preprocess(), None)
    assert {case.batch_size for case in parity.cases} == {4}


@pytest.mark.parametrize(("shapes", "size"), [(((), (2,)), 2), (((),), 1)])
def test_a_number_without_axes_has_no_batch(onnx_path, shapes, size):
    class Number(FakeBackend):
        def run(self, inputs):
            return {"scores": np.zeros(3, np.float32)}

    specs = tuple(TensorSpec(f"x{shape}", FLOAT, shape) for shape in shapes)
    parity = prove(
        Number(inputs=specs), Number(inputs=specs), onnx_path, Preprocess(), None
    )
    assert {case.batch_size for case in parity.cases} == {size}


def test_the_time_is_that_of_one_item(onnx_path):
    """A run takes 8.12364 ms by the clock, so one item of four takes 2.03091 ms."""
    ticks = itertools.count(step=0.00812364)
    spec = TensorSpec("pixels", FLOAT, (4, 2, 2, 1))
    reference, candidate = FakeBackend(inputs=(spec,)), FakeBackend(inputs=(spec,))
    parity = prove(
        reference,
        candidate,
        onnx_path,
        Preprocess(),
        None,
        clock=lambda: next(ticks),
    )
    assert set(parity.milliseconds_per_image.values()) == {2.0309}


def test_a_model_of_no_pictures_is_asked_numbers(onnx_path):
    spec = TensorSpec("row", FLOAT, (None, 5))
    reference, candidate = FakeBackend(inputs=(spec,)), FakeBackend(inputs=(spec,))
    parity = prove(reference, candidate, onnx_path, Preprocess(), None)
    assert {case.inputs for case in parity.cases} == {"random", "zeros", "ones"}


def test_the_report_bears_the_files_digest_and_the_versions(onnx_path):
    parity = report(onnx_path, (0, 0, 1), (0, 0, 1))
    # The digest is the sha256 of "abc", from FIPS 180-2, appendix B.1.
    assert parity.sha256 == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert {"onnxruntime", "numpy", "tf2onnx", "tensorflow"} <= set(parity.versions)
    assert set(parity.milliseconds_per_image) == {"tensorflow", "onnxruntime"}
    assert parity.saved_model == "", "nobody gave its digest"


@pytest.mark.parametrize(
    ("distribution", "module"),
    [
        ("tensorflow-cpu", "tensorflow"),
        ("tensorflow", "tensorflow"),
        ("onnxruntime-gpu", "onnxruntime"),
        ("onnxruntime", "onnxruntime"),
        ("keras", "keras"),
        ("tf2onnx", "tf2onnx"),
        ("onnx", "onnx"),
        ("onnxslim", "onnxslim"),
        ("numpy", "numpy"),
    ],
)
def test_a_version_is_that_of_whichever_package_is_there(
    monkeypatch, distribution, module
):
    def version(name):
        if name == distribution:
            return "1.2.3"
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    versions = dict(_versions.__wrapped__())
    assert versions.pop("python") == platform.python_version()
    assert versions.pop("tfaas-onnx")
    assert versions == {module: "1.2.3"}


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (shares / shares.sum(axis=-1, keepdims=True)).astype(np.float32)


def test_all_but_equal_answers_prove_nothing_within_the_absolute_tolerance(onnx_path):
    """A thousand classes are near 0.001, and so are another model's answers."""

    def thousand(rows, direction):
        return softmax(1e-4 * direction * np.repeat(rows, 400, axis=-1))

    reference = answering(lambda rows: thousand(rows, 1), ROW, "tensorflow")
    other = answering(lambda rows: thousand(rows, -1), ROW)
    parity = prove(reference, other, onnx_path, Preprocess(), None)
    assert parity.max_abs_diff < 1e-5
    assert parity.share_of_spread > 0.5
    assert not parity.passed
    same = answering(lambda rows: thousand(rows, 1), ROW)
    assert prove(reference, same, onnx_path, Preprocess(), None).passed


def test_a_small_probability_is_compared_by_its_logarithm(onnx_path):
    """A tolerance of 1e-5 allows 1e-9 against 2e-9, but the logits differ by 0.69."""
    parity = report(onnx_path, (1e-9, 0.0, 1.0), (2e-9, 0.0, 1.0))
    assert parity.max_logit_diff == pytest.approx(np.log(2), rel=1e-4)
    assert not parity.passed


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.bool_])
def test_whole_numbers_must_be_equal(onnx_path, dtype):
    """1,000,001 is within a relative 1e-4 of 1,000,000, but is another index."""

    def at(offset):
        numbers = np.array([[offset, 1]]).astype(dtype)
        return lambda rows: np.repeat(numbers, len(rows), axis=0)

    big = 1_000_000 if dtype is np.int64 else 1
    reference = answering(at(big), ROW, "tensorflow")
    assert prove(
        reference, answering(at(big), ROW), onnx_path, Preprocess(), None
    ).passed
    other = answering(at(big + 1 if dtype is np.int64 else 0), ROW)
    assert not prove(reference, other, onnx_path, Preprocess(), None).passed


def test_another_dtype_is_another_answer(onnx_path):
    reference = answering(lambda rows: rows, ROW, "tensorflow")
    other = answering(lambda rows: rows.astype(np.float64), ROW)
    assert not prove(reference, other, onnx_path, Preprocess(), None).passed


def test_the_report_names_the_worst_element_and_its_input_is_drawn_again(onnx_path):
    """The answer is off where the input is largest, and the tolerance grows with it."""

    def off(rows):
        answer = rows.copy()
        answer[rows > 2.5] += 1
        return answer

    reference = answering(lambda rows: rows.copy(), ROW, "tensorflow")
    parity = prove(reference, answering(off, ROW), onnx_path, Preprocess(), None)
    worst = parity.worst
    assert worst.answered == pytest.approx(worst.expected + 1)
    batch = worst_input(reference, worst, Preprocess(), None)
    assert batch["row"].shape == (worst.batch_size, 3)
    assert batch["row"][worst.element] == pytest.approx(worst.expected)


def test_an_onnx_that_answers_otherwise_the_second_time_fails(onnx_path):
    turns = itertools.count()
    reference = answering(lambda rows: rows, ROW, "tensorflow")
    other = answering(lambda rows: rows + (next(turns) % 2), ROW)
    parity = prove(reference, other, onnx_path, Preprocess(), None)
    assert not parity.is_repeatable
    assert not parity.passed


def test_a_reference_that_draws_at_random_cannot_be_proved(onnx_path):
    turns = itertools.count()
    reference = answering(lambda rows: rows + next(turns), ROW, "tensorflow")
    with pytest.raises(ExportError, match="same input in two ways"):
        prove(reference, answering(lambda r: r, ROW), onnx_path, Preprocess(), None)


def test_numbers_are_drawn_over_the_declared_range(onnx_path):
    seen = []

    def look(rows):
        seen.append(rows)
        return rows.astype(np.float32)

    ids = (TensorSpec("ids", np.dtype(np.int64), (None, 3)),)
    reference = answering(look, ids, "tensorflow")
    other = answering(lambda rows: rows.astype(np.float32), ids)
    ranges = {"ids": (5.0, 9.0)}
    parity = prove(reference, other, onnx_path, Preprocess(), None, ranges=ranges)
    drawn = np.concatenate([rows.ravel() for rows in seen])
    assert set(drawn) == {5, 6, 7, 8, 9}
    assert {case.inputs for case in parity.cases} == {"random", "lowest", "highest"}


def test_an_axis_that_is_free_is_tried_at_two_lengths(onnx_path):
    """A model that was converted only for the first length fails at the other."""
    free = (TensorSpec("row", FLOAT, (None, None)),)
    reference = answering(lambda rows: rows, free, "tensorflow")
    other = answering(lambda rows: rows if rows.shape[1] == 8 else rows + 1, free)
    parity = prove(reference, other, onnx_path, Preprocess(), None)
    assert {c.inputs for c in parity.cases if not c.passed} == {"another length"}


def test_a_size_that_tensorflow_does_not_take_is_not_asked(onnx_path):
    def one_at_a_time(rows):
        if len(rows) > 1:
            raise BackendError("one at a time")
        return rows

    reference = answering(one_at_a_time, ROW, "tensorflow")
    parity = prove(
        reference, answering(lambda rows: rows, ROW), onnx_path, Preprocess(), None
    )
    assert {case.batch_size for case in parity.cases} == {1}
    assert parity.passed


def test_the_absolute_tolerance_grows_with_the_answers(onnx_path):
    """A sum of a thousand numbers near 100 may be near 0, with the same error."""

    def at(offset):
        numbers = np.array([[500.0, -500.0, 0.0 + offset]], np.float32)
        return lambda rows: np.repeat(numbers, len(rows), axis=0)

    reference = answering(at(0), ROW, "tensorflow")
    for offset, passed in ((3e-3, True), (6e-3, False)):
        parity = prove(
            reference, answering(at(offset), ROW), onnx_path, Preprocess(), None
        )
        assert parity.passed is passed


def test_texts_are_the_same_as_bytes_and_as_words(onnx_path):
    """TensorFlow answers with bytes."""
    of_bytes = np.array([["a", "ä"]], object)
    of_bytes = np.array([[text.encode() for text in of_bytes[0]]], object)
    reference = answering(lambda rows: of_bytes, ROW, "tensorflow")
    for words, passed in ((["a", "ä"], True), (["a", "b"], False)):
        other = answering(lambda rows, words=words: np.array([words], object), ROW)
        assert prove(reference, other, onnx_path, Preprocess(), None).passed is passed


def test_where_tensorflow_fails_it_says_how_to_declare_a_range(onnx_path):
    def small(rows):
        if rows.max() > 0.5:
            raise BackendError("out of range")
        return rows

    reference = answering(small, ROW, "tensorflow")
    other = answering(lambda rows: rows, ROW)
    with pytest.raises(ExportError, match="fails on 'random' inputs .* --range"):
        prove(reference, other, onnx_path, Preprocess(), None)
    ranges = {"row": (0, 0.5)}
    assert prove(reference, other, onnx_path, Preprocess(), None, ranges=ranges).passed


def test_the_report_says_by_how_much_and_where(onnx_path):
    parity = proved(
        onnx_path,
        constant(0.25, 0.25, 0.5),
        constant(0.25, 0.26, 0.5),
        saved_model="digest",
        batch_sizes=(1, 2),
    )
    assert (parity.saved_model, parity.atol, parity.rtol) == ("digest", 1e-5, 1e-4)
    assert (parity.passed, parity.is_repeatable) == (False, True)
    assert parity.top1_agreement == 1.0
    assert parity.max_abs_diff == pytest.approx(0.01, rel=1e-5)
    assert parity.max_rel_diff == pytest.approx(0.04, rel=1e-5)
    assert parity.max_logit_diff == pytest.approx(np.log(0.26 / 0.25), rel=1e-5)
    # The answers reach from 0.25 to 0.5.
    assert parity.share_of_spread == pytest.approx(0.04, rel=1e-5)
    worst = parity.worst
    assert (worst.inputs, worst.batch_size, worst.batch) == ("random", 1, 0)
    assert (worst.output, worst.element) == ("scores", (0, 1))
    assert (worst.expected, worst.answered) == (0.25, pytest.approx(0.26, rel=1e-6))
    kinds = ("random", "zeros", "ones")
    assert [(c.inputs, c.batch_size) for c in parity.cases] == [
        (kind, size) for size in (1, 2) for kind in kinds
    ]
    for case in parity.cases:
        assert not case.passed
        assert case.max_abs_diff == parity.max_abs_diff
        assert case.max_rel_diff == parity.max_rel_diff
        assert case.max_logit_diff == parity.max_logit_diff
    # There is one batch of zeros and one of ones, each of one item and of two.
    assert [c.samples for c in parity.cases if c.inputs != "random"] == [1, 1, 2, 2]
    assert parity.samples == sum(case.samples for case in parity.cases)


def test_the_report_says_when_and_with_what(onnx_path):
    before = datetime.now(UTC).replace(microsecond=0)
    parity = proved(onnx_path, constant(0, 0, 1), constant(0, 0, 1))
    created = datetime.fromisoformat(parity.created)
    assert created.utcoffset() == timedelta(0)
    assert created.microsecond == 0
    assert before <= created <= datetime.now(UTC)
    assert parity.versions["python"] == platform.python_version()
    assert parity.versions["numpy"] == np.__version__
    names = {"tfaas-onnx", "keras", "onnx", "onnxslim", "onnxruntime", "tf2onnx"}
    assert names <= set(parity.versions)


def test_each_step_is_told_as_it_begins(onnx_path):
    steps = []
    proved(
        onnx_path,
        constant(0, 0, 1),
        constant(0, 0, 1),
        batch_sizes=(1, 7),
        report=steps.append,
    )
    assert steps == [
        f"proving: {kind}, batch {size}"
        for size in (1, 7)
        for kind in ("random", "zeros", "ones")
    ]


def test_what_differs_in_one_case_alone_fails_the_whole(onnx_path):
    def off_at_zeros(rows):
        is_zero = (rows == 0).all(axis=1, keepdims=True)
        return np.where(is_zero, [0.6, 0.4, 0.0], [0.4, 0.6, 0.0]).astype(np.float32)

    parity = proved(onnx_path, constant(0.4, 0.6, 0.0), off_at_zeros)
    assert [c.passed for c in parity.cases] == [True, False, True]
    assert [c.top1_agreement for c in parity.cases] == [1.0, 0.0, 1.0]
    assert not parity.passed
    assert parity.top1_agreement == 0.0
    assert parity.max_abs_diff == pytest.approx(0.2, rel=1e-5)
    assert parity.max_rel_diff == pytest.approx(0.5, rel=1e-5)
    assert parity.worst.inputs == "zeros"
    assert parity.share_of_spread == 0.0, "zeros are not drawn at random"


def test_a_share_of_the_best_classes_is_told(onnx_path):
    """One item in a batch of two has another best class."""

    def off_in_the_second(rows):
        answer = constant(0.4, 0.6, 0.0)(rows)
        answer[1::2] = (0.6, 0.4, 0.0)
        return answer

    parity = proved(
        onnx_path, constant(0.4, 0.6, 0.0), off_in_the_second, batch_sizes=(2,)
    )
    assert parity.top1_agreement == 0.5


@pytest.mark.parametrize(
    "answer", [lambda rows: rows[:, 0], lambda rows: rows[:, :1], lambda rows: rows]
)
def test_answers_of_any_shape_are_compared(onnx_path, answer):
    assert proved(onnx_path, answer, answer).passed
    parity = proved(onnx_path, answer, lambda rows: answer(rows) + np.float32(1))
    assert not parity.passed
    assert parity.max_abs_diff == pytest.approx(1.0, rel=1e-5)
    assert parity.max_logit_diff == 0.0, "they are no probabilities"


def test_an_answer_of_another_shape_is_another_answer(onnx_path):
    assert not proved(onnx_path, lambda rows: rows, lambda rows: rows[:, :2]).passed


def test_a_relative_difference_counts_above_the_absolute_tolerance(onnx_path):
    parity = proved(onnx_path, constant(1e-6, 0.5, 0.5), constant(2e-6, 0.5, 0.5))
    assert parity.max_rel_diff == 0.0
    assert parity.max_abs_diff == pytest.approx(1e-6, rel=1e-3)


def test_the_worst_of_whole_numbers_is_kept_too(onnx_path):
    def at(*numbers):
        row = np.array([numbers], np.int64)
        return lambda rows: np.repeat(row, len(rows), axis=0)

    parity = proved(onnx_path, at(5, 7, 9), at(5, 4, 8))
    assert parity.max_abs_diff == 3.0
    worst = parity.worst
    assert (worst.element, worst.expected, worst.answered) == ((0, 1), 7.0, 4.0)


@pytest.mark.parametrize(
    ("row", "other", "expected", "answered"),
    [
        ((1.0, np.nan, 0.0), (1.0, 2.0, 0.0), 1e300, 2.0),
        ((1.0, 2.0, 0.0), (1.0, np.inf, 0.0), 2.0, 1e300),
        ((1.0, 2.0, 0.0), (1.0, -np.inf, 0.0), 2.0, -1e300),
    ],
)
def test_what_json_does_not_have_is_a_great_number(
    onnx_path, row, other, expected, answered
):
    parity = proved(onnx_path, constant(*row), constant(*other))
    assert (parity.worst.expected, parity.worst.answered) == (expected, answered)
    assert parity.worst.element == (0, 1)
    assert parity.max_abs_diff == 1e300


@pytest.mark.parametrize("step", [5.0, 3.5])
def test_a_case_ends_after_ten_seconds(onnx_path, monkeypatch, step):
    """The clock goes on at each look: 10 s are not over, and 10.5 s are."""
    ticks = itertools.count(step=step)
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    parity = proved(onnx_path, constant(0, 0, 1), constant(0, 0, 1))
    assert parity.cases[0].samples == 3


@pytest.mark.parametrize(("step", "runs"), [(0.0, 51), (0.5, 2), (0.4, 3)])
def test_time_is_taken_of_fifty_runs_or_two_seconds(step, runs):
    """One more run warms up. Steps of 0.5 s end the measurement after one run."""
    times = itertools.count(step=step)
    counted = []

    def count(rows):
        counted.append(len(rows))
        return rows

    batch = {"row": np.zeros((1, 3), np.float32)}
    clock = functools.partial(next, times)
    _milliseconds(answering(count, ROW), batch, TIMED_RUNS, TIMED_SECONDS, clock)
    assert len(counted) == runs


def test_differences_are_counted_by_their_size(onnx_path):
    """Each row has an equal number, one 0.5 apart, and one 1/1024 apart."""
    inputs = (1.0, 2.0, 0.0)
    parity = proved(
        onnx_path, constant(*inputs), constant(1.0, 2.5, 2**-10), batch_sizes=(1, 2)
    )
    filled = {name: count for name, count in parity.differences.items() if count}
    assert filled == {
        "0": parity.samples,
        "1e-03": parity.samples,
        "1e+00": parity.samples,
    }
    assert list(parity.differences)[:2] == ["0", "1e-10"]
    assert list(parity.differences)[-1] == "more"


@pytest.mark.parametrize(
    ("answer", "name"),
    [(1e-10, "1e-10"), (1.01e-10, "1e-09"), (1.0, "1e+00"), (1.01, "more")],
)
def test_a_bound_belongs_to_the_smaller_differences(onnx_path, answer, name):
    zeros = constant(0.0, dtype=np.float64)
    parity = proved(onnx_path, zeros, constant(answer, dtype=np.float64))
    assert parity.differences[name] == parity.samples
    assert sum(parity.differences.values()) == parity.samples


def test_a_number_beside_nan_is_counted_beyond_all_bounds(onnx_path):
    parity = proved(onnx_path, constant(np.nan, 1.0), constant(1.0, 1.0))
    assert parity.differences["more"] == parity.samples


SAME = constant(0.0, 0.0, 1.0)


def test_latency_is_measured_only_where_it_is_asked_for(onnx_path):
    assert proved(onnx_path, SAME, SAME).milliseconds_by_batch == {}


def test_latency_is_that_of_a_whole_batch_by_size_and_engine(onnx_path):
    """A run takes one tick of 10 ms, whatever the size of the batch is."""
    clock = functools.partial(next, itertools.count(step=0.01))
    parity = proved(onnx_path, SAME, SAME, latency_sizes=(1, 32), clock=clock)
    times = {"tensorflow": pytest.approx(10), "onnxruntime": pytest.approx(10)}
    assert parity.milliseconds_by_batch == {"1": times, "32": times}
    assert json.loads(json.dumps(parity.to_json()))["milliseconds_by_batch"]


def test_a_slow_model_gets_no_larger_batch(onnx_path):
    clock = functools.partial(next, itertools.count(step=0.2))
    parity = proved(onnx_path, SAME, SAME, latency_sizes=(1, 2, 4), clock=clock)
    assert list(parity.milliseconds_by_batch) == ["1"]


def test_a_batch_that_an_engine_refuses_has_no_latency(onnx_path):
    def refuse(rows):
        if len(rows) == 2:
            raise BackendError("not two")
        return SAME(rows)

    parity = proved(onnx_path, SAME, refuse, latency_sizes=(1, 2, 4))
    assert list(parity.milliseconds_by_batch) == ["1", "4"]


def test_an_onnx_that_is_not_proved_is_not_timed(onnx_path):
    other = constant(0.0, 1.0, 0.0)
    parity = proved(onnx_path, SAME, other, latency_sizes=(1,))
    assert not parity.passed
    assert parity.milliseconds_by_batch == {}
