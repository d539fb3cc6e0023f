import numpy as np
import pytest

from bundle.params import Preprocess
from bundle.tolerance import BRAIN, HALF, SINGLE
from exporter.proof.parity import prove
from runtime.backends import TensorSpec
from tests.runtime.fakes import FakeBackend


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("dtype", "name"),
    [("float32", "SINGLE"), ("float16", "HALF"), ("bfloat16", "BRAIN")],
)
@pytest.mark.parametrize("is_inside", [True, False])
def test_the_least_precise_numbers_decide(dtype, name, is_inside):
    """They are in a function that the signature calls, or beside it.

    float32 is at both ends.
    """
    import tensorflow as tf

    from exporter.proof import tolerance
    from runtime.backends.saved_model import Signature

    def double(x):
        return tf.cast(tf.cast(x, dtype) * tf.cast(2.0, dtype), tf.float32)

    def same(x):
        return x * 1.0

    inner, beside = (double, same) if is_inside else (same, double)
    called = tf.function(inner)
    spec = tf.TensorSpec([None, 3], tf.float32, name="x")
    call = tf.function(lambda x: {"y": beside(called(x))}).get_concrete_function(spec)
    signature = Signature(call, {"x": spec}, call.structured_outputs)
    assert tolerance.tolerance_of(signature) == getattr(tolerance, name)


# README, "Converting", lists these limits of a proof.
LIMITS = {
    "float32": (SINGLE, {"atol": 1e-5, "rtol": 1e-4, "spread": 0.02, "logit": 1e-3}),
    "float16": (HALF, {"atol": 1e-2, "rtol": 1e-2, "spread": 0.1, "logit": 0.1}),
    "bfloat16": (BRAIN, {"atol": 5e-2, "rtol": 5e-2, "spread": 0.3, "logit": 0.5}),
}


class Answering(FakeBackend):
    """A backend that answers what a function of its one input gives."""

    def __init__(self, answer):
        super().__init__(inputs=(TensorSpec("row", np.dtype(np.float32), (None, 3)),))
        self._answer = answer

    def run(self, inputs):
        return {"scores": self._answer(inputs["row"]).astype(np.float32)}


def constant(row):
    return lambda rows: np.tile(np.array(row, np.float64), (len(rows), 1))


def passes(tolerance, tmp_path, answer, other, ranges=None):
    (tmp_path / "model.onnx").write_bytes(b"abc")
    return prove(
        Answering(answer),
        Answering(other),
        tmp_path / "model.onnx",
        Preprocess(),
        None,
        ranges=ranges,
        tolerance=tolerance,
        batch_sizes=(1,),
    ).passed


EACH = pytest.mark.parametrize("dtype", LIMITS)
JUST = pytest.mark.parametrize(("off", "expected"), [(0.9, True), (1.1, False)])


@EACH
@JUST
def test_absolute_difference_near_its_limit(dtype, off, expected, tmp_path):
    """Only the absolute tolerance counts near zero."""
    tolerance, limits = LIMITS[dtype]
    row = np.array([0.0, 0.0, 0.3])
    other = row + np.array([0.0, off * limits["atol"], 0.0])
    assert passes(tolerance, tmp_path, constant(row), constant(other)) is expected


@EACH
@JUST
def test_relative_difference_near_its_limit(dtype, off, expected, tmp_path):
    """The largest of three numbers is sqrt(3) times their root mean square."""
    tolerance, limits = LIMITS[dtype]
    absolute = limits["atol"] * 300 / np.sqrt(3)
    row = np.array([0.0, 0.0, 300.0])
    other = row + np.array([0.0, 0.0, absolute + off * limits["rtol"] * 300])
    assert passes(tolerance, tmp_path, constant(row), constant(other)) is expected


@EACH
@JUST
def test_share_of_the_spread_near_its_limit(dtype, off, expected, tmp_path):
    """Every answer is off by the same amount."""
    tolerance, limits = LIMITS[dtype]
    high = limits["atol"]  # no other limit is reached
    seen = []

    def shrunk(rows):
        seen.append(rows)
        return high * rows

    ranges = {"row": (0.0, 1.0)}
    assert passes(tolerance, tmp_path, shrunk, shrunk, ranges)
    drawn = np.concatenate([rows for rows in seen if 0 < rows.min() < 1])
    apart = off * limits["spread"] * high * float(drawn.max() - drawn.min())
    assert (
        passes(
            tolerance,
            tmp_path,
            lambda rows: high * rows,
            lambda rows: high * rows + apart,
            ranges,
        )
        is expected
    )


@EACH
@JUST
def test_logarithm_of_a_probability_near_its_limit(dtype, off, expected, tmp_path):
    """A tenth of the logarithm of exp(-10) doubles the allowed difference."""
    tolerance, limits = LIMITS[dtype]
    allowed = limits["logit"] * (1 + 0.1 * 10)

    def shares(logarithm):
        small = np.exp(logarithm)
        return constant([small, 0.4, 0.6 - small])

    one, other = shares(-10.0), shares(-10.0 - off * allowed)
    assert passes(tolerance, tmp_path, one, other) is expected
