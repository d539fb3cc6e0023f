import numpy as np
import pytest

from bundle.parity import Trial
from exporter.variants.calibration import Items
from exporter.variants.trial import refusal_of, try_variant
from runtime.backends import TensorSpec

ROWS = TensorSpec("x", np.dtype(np.float32), (None, 2))


class Function:
    """A backend that computes a function ``times`` times in each run."""

    name = "onnxruntime"
    device = "CPUExecutionProvider"

    def __init__(self, compute, *, times=1, batch=None):
        self.inputs = (TensorSpec("x", np.dtype(np.float32), (batch, 2)),)
        self.outputs = (TensorSpec("y", np.dtype(np.float32), (batch, None)),)
        self.sizes = []
        self._compute = compute
        self._times = times

    def run(self, inputs):
        self.sizes.append(len(inputs["x"]))
        for _ in range(self._times):
            y = self._compute(inputs["x"])
        return {"y": y}


def same(x):
    return x


def swapped_where_negative(x):
    """Give another best class to each item whose first value is negative."""
    return np.where(x[:, :1] < 0, x[:, ::-1], x)


def tried(fp32, variant, inputs, labels=None, **more):
    items = Items({"x": np.asarray(inputs, np.float32)}, labels, "")
    how = {"main_output": "y", "for_cuda": False, **more}
    return try_variant(fp32, variant, items, **how)


def test_accuracy_is_told_of_both_where_labels_are_known():
    # fp32 answers the larger of two values: it is right for 3 items of 4, and the
    # variant for 2.
    inputs = [[1, 2], [2, 1], [-1, 0], [1, 3]]
    trial = tried(
        Function(same), Function(swapped_where_negative), inputs, np.array([1, 0, 1, 0])
    )
    assert (trial.measure, trial.items) == ("accuracy", 4)
    assert (trial.fp32, trial.variant, trial.drop) == (0.75, 0.5, 25)


def test_a_variant_may_be_better():
    inputs, labels = [[-1, 0], [1, 2]], np.array([0, 1])
    trial = tried(Function(same), Function(swapped_where_negative), inputs, labels)
    assert (trial.fp32, trial.variant, trial.drop) == (0.5, 1, -50)
    assert trial.speed is not None


def test_without_labels_probabilities_are_told_by_their_best_class():
    def softmax(x):
        e = np.exp(swapped_where_negative(x))
        return e / e.sum(axis=1, keepdims=True)

    def plain(x):
        e = np.exp(x)
        return e / e.sum(axis=1, keepdims=True)

    inputs = [[1, 2], [2, 1], [-1, 0], [1, 3]]
    trial = tried(Function(plain), Function(softmax), inputs)
    assert (trial.measure, trial.fp32, trial.variant) == ("top-1", 1, 0.75)


def test_other_numbers_are_told_by_the_variance_that_is_kept():
    inputs = [[1, 0], [2, 0], [3, 0], [4, 0]]
    trial = tried(Function(same), Function(lambda x: x + 0.5), inputs)
    # The loss is 8 x 0.25 = 2, and the variance about the mean of each column is 5.
    assert (trial.measure, trial.variant) == ("R2", pytest.approx(1 - 2 / 5))


@pytest.mark.parametrize(
    ("variant", "kept"),
    [(lambda x: x * np.nan, 0.0), (lambda x: x - 1000, 0.0), (same, 1.0)],
)
def test_a_variant_that_answers_nonsense_keeps_nothing(variant, kept):
    trial = tried(Function(same), Function(variant), [[1, 2], [3, 4]])
    assert trial.variant == kept


def test_whole_numbers_must_be_equal():
    fp32 = Function(lambda x: x.astype(np.int64))
    variant = Function(lambda x: x.astype(np.int64) // 2 * 2)
    trial = tried(fp32, variant, [[0, 1], [2, 4]])
    assert (trial.measure, trial.variant) == ("equal", 0.75)


def test_another_shape_keeps_nothing():
    trial = tried(Function(same), Function(lambda x: x[:, :1]), [[0, 1], [2, 4]])
    assert (trial.measure, trial.variant) == ("equal", 0)


def test_one_score_tells_between_two_classes():
    inputs, labels = [[0.4, 0], [0.6, 0], [0.9, 0]], np.array([0, 1, 1])
    fp32 = Function(lambda x: x[:, :1])
    trial = tried(fp32, Function(lambda x: x[:, :1] - 0.2), inputs, labels)
    assert (trial.fp32, trial.variant) == (1, pytest.approx(2 / 3))


def test_speed_is_measured_at_one_and_at_many():
    slow = Function(lambda x: np.sort(np.tile(x, (300, 1)), axis=0)[: len(x)], times=20)
    quick = Function(lambda x: np.sort(np.tile(x, (300, 1)), axis=0)[: len(x)])
    trial = tried(quick, slow, [[1, 2], [3, 4]])
    assert list(trial.milliseconds) == ["1", "32"]
    assert {1, 32} <= set(slow.sizes)
    assert trial.speed > 5
    assert tried(slow, quick, [[1, 2], [3, 4]]).speed < 0.2


def test_a_fixed_batch_is_measured_alone():
    fp32, variant = Function(same, batch=3), Function(same, batch=3)
    trial = tried(fp32, variant, np.ones((7, 2)))
    assert list(trial.milliseconds) == ["3"]
    assert set(variant.sizes) == {3}


def test_speed_for_cuda_is_not_judged_without_cuda():
    trial = tried(Function(same), Function(same), [[1, 2], [3, 4]], for_cuda=True)
    assert (trial.speed, trial.milliseconds) == (None, {})
    assert "no CUDA here" in trial.remark


def numbers(drop=0.0, speed=0.5):
    times = {"1": {"fp32": 1.0, "variant": speed or 1.0}}
    return Trial(
        *("accuracy", 1000, 0.98, 0.98 - drop / 100, drop, ""),
        *("CPUExecutionProvider", times, speed),
    )


@pytest.mark.parametrize(
    ("trial", "refusal"),
    [
        (numbers(), ""),
        (numbers(drop=0.5), ""),
        (numbers(speed=1.0), ""),
        (numbers(speed=None), ""),
        (numbers(drop=-3), ""),
        (
            numbers(drop=0.6),
            "m loses 0.60 percentage points (accuracy 98.00% to 97.40%, on 1000 items;"
            " 0.5 are allowed)",
        ),
        (
            numbers(speed=1.5),
            "m is slower than fp32 here (CPUExecutionProvider: 1.500 ms against 1.000"
            " at batch 1)",
        ),
    ],
)
def test_what_is_slower_or_loses_more_than_half_a_point_is_refused(trial, refusal):
    assert refusal_of(trial, "m") == refusal
