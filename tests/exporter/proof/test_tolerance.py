import pytest

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("dtype", "name"),
    [("float32", "SINGLE"), ("float16", "HALF"), ("bfloat16", "BRAIN")],
)
def test_the_least_precise_numbers_decide(dtype, name):
    """In a function that the signature calls, between float32 at both ends."""
    import tensorflow as tf

    from exporter.proof import tolerance
    from runtime.backends.saved_model import Signature

    @tf.function
    def inner(x):
        return tf.cast(tf.cast(x, dtype) * tf.cast(2.0, dtype), tf.float32)

    spec = tf.TensorSpec([None, 3], tf.float32, name="x")
    call = tf.function(lambda x: {"y": inner(x)}).get_concrete_function(spec)
    signature = Signature(call, {"x": spec}, call.structured_outputs)
    assert tolerance.tolerance_of(signature) == getattr(tolerance, name)


def test_a_looser_tolerance_is_looser_in_each_way():
    from exporter.proof.tolerance import BRAIN, HALF, SINGLE

    for field in ("atol", "rtol", "spread", "logit"):
        values = [getattr(level, field) for level in (SINGLE, HALF, BRAIN)]
        assert values == sorted(values)
