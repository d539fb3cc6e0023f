import numpy as np
import pytest

from runtime.backends.randomness import drawn_by

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def tf():
    import tensorflow

    return tensorflow


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def concrete(tf, run):
    spec = tf.TensorSpec([None, 3], tf.float32, name="x")
    return tf.function(run).get_concrete_function(spec)


def test_operators_that_keep_a_seed_draw(tf):
    drawn = drawn_by(concrete(tf, lambda x: x + tf.random.normal([3])))
    assert drawn == "RandomStandardNormal"


def test_what_no_answer_needs_does_not(tf):
    def run(x):
        tf.print(tf.random.normal([3]))
        return 2 * x

    assert drawn_by(concrete(tf, run)) == ""


def test_a_branch_that_is_never_taken_does_not(tf):
    def run(x, taken):
        return x + tf.cond(taken, lambda: tf.random.normal([3]), lambda: tf.zeros([3]))

    def never(x):
        # With Python's own False, Python itself would choose the branch while it
        # traces.
        return run(x, tf.constant(False))

    spec = tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([], tf.bool)
    asked = tf.function(run).get_concrete_function(*spec)
    assert drawn_by(asked) == "RandomStandardNormal"
    assert drawn_by(concrete(tf, never)) == ""


def test_a_seed_that_stays_draws_the_same(tf):
    def run(x):
        return x + tf.random.stateless_normal([3], seed=[1, 2])

    assert drawn_by(concrete(tf, run)) == ""


def test_a_seed_that_is_changed_draws(tf):
    seed = tf.Variable([1, 2], dtype=tf.int32)

    def run(x):
        seed.assign_add([0, 1])
        return x + tf.random.stateless_normal([3], seed=seed)

    assert "StatelessRandomNormalV2" in drawn_by(concrete(tf, run))


# Keras accepts a list with the one input of a Sequential, but warns of it.
@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
def test_what_keras_exports_with_augmentation_draws_unless_it_is_told(
    keras, tf, tmp_path
):
    """The second model follows the advice of the sentence."""
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.RandomFlip(), keras.layers.Flatten()]
    )
    outer = keras.Model(model.inputs, model(model.inputs, training=False))
    found = {}
    for name, one in {"model": model, "outer": outer}.items():
        one.export(tmp_path / name, verbose=False)
        loaded = tf.saved_model.load(tmp_path / name)
        found[name] = drawn_by(loaded.signatures["serving_default"])
    assert "StatelessRandomUniform" in found["model"]
    assert found["outer"] == ""
    pictures = np.arange(16, dtype="f4").reshape(1, 4, 4, 1)
    assert outer(pictures).numpy().ravel().tolist() == pictures.ravel().tolist()
