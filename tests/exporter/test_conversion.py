"""Other people's models are converted, and proved on the inputs that they take."""

import numpy as np
import onnxruntime
import pytest

from exporter.conversion import Order, convert_and_prove, known_of
from exporter.errors import ExportError, NotDrawn
from exporter.options import DEFAULTS
from exporter.sources.source import find_source

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def tf():
    import tensorflow

    return tensorflow


@pytest.fixture
def saved(tf, tmp_path):
    """Save a function of some inputs, which their specs describe."""

    def save(function, **specs):
        module = tf.Module()
        module.table = tf.Variable(
            np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
        )
        signature = [
            tf.TensorSpec(shape, dtype, name=n) for n, (shape, dtype) in specs.items()
        ]
        module.served = tf.function(
            lambda *given: function(module.table, *given), input_signature=signature
        )
        folder = tmp_path / "model"
        tf.saved_model.save(
            module, folder, signatures=module.served.get_concrete_function()
        )
        return folder

    return save


def converted(folder, tmp_path, **options):
    source = find_source(str(folder), tmp_path, **options)
    order = Order(source, DEFAULTS, tmp_path / "model.onnx")
    parity = convert_and_prove(order, lambda step: None).parity
    assert parity.passed, parity.worst
    return source, order.candidate, {case.inputs for case in parity.cases}


def answers(path, **inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0].tolist()


def test_real_ids_of_an_embedding_are_proved_on_all_rows(tf, saved, tmp_path):
    folder = saved(
        lambda table, ids: {
            "y": tf.reduce_mean(
                tf.nn.embedding_lookup(table, tf.cast(ids, tf.int32)), 1
            )
        },
        ids=([None, 9], tf.float32),
    )
    source, path, cases = converted(folder, tmp_path)
    ranges, traits = known_of(source, path)
    assert ranges == {"ids": (0, 49)}
    assert traits.whole == {"ids"}
    assert {"random", "lowest", "highest"} <= cases


def test_keras_embedding_of_real_ids_is_proved_on_all_rows(tmp_path):
    import keras

    model = keras.Sequential(
        [keras.Input((9,)), keras.layers.Embedding(50, 6), keras.layers.Flatten()]
    )
    model.save(tmp_path / "model.keras")
    source, path, _ = converted(tmp_path / "model.keras", tmp_path)
    ranges, traits = known_of(source, path)
    assert list(ranges.values()) == [(0, 49)]
    assert traits.whole == ranges.keys()


def test_a_quotient_is_proved_and_its_divisor_is_never_zero(tf, saved, tmp_path):
    folder = saved(
        lambda table, total, count: {"mean": total // count},
        total=([None], tf.int32),
        count=([None], tf.int32),
    )
    _, path, cases = converted(folder, tmp_path)
    assert {"small whole numbers", "large whole numbers"} & cases
    assert answers(
        path,
        total=np.array([7, 9, -(2**31)], np.int32),
        count=np.array([2, -2, -1], np.int32),
    ) == [3, -5, -(2**31)]


def test_sums_are_proved_up_to_the_ends_of_their_dtype(tf, saved, tmp_path):
    folder = saved(lambda table, x: {"y": tf.reduce_sum(x, 1)}, x=([None, 3], tf.int64))
    _, path, cases = converted(folder, tmp_path)
    assert "large whole numbers" in cases
    x = np.array([[1700000000123456789, -1700000000123456700, 5]])
    assert answers(path, x=x) == [94]


def test_an_axis_with_one_length_is_fixed_in_the_onnx(tf, saved, tmp_path):
    folder = saved(
        lambda table, x: {"y": tf.matmul(x, table)}, x=([None, None], tf.float32)
    )
    steps = []
    source = find_source(str(folder), tmp_path)
    order = Order(source, DEFAULTS, tmp_path / "model.onnx")
    assert convert_and_prove(order, steps.append).parity.passed
    assert "fixing: input 'x' takes only the shape N,50" in steps
    session = onnxruntime.InferenceSession(
        order.candidate, providers=["CPUExecutionProvider"]
    )
    assert session.get_inputs()[0].shape == ["batch", 50]


def test_pictures_in_texts_are_refused_for_their_operators(tf, saved, tmp_path):
    folder = saved(
        lambda table, image: {
            "n": tf.map_fn(
                lambda one: tf.size(tf.io.decode_png(one)),
                image,
                fn_output_signature=tf.int32,
            )
        },
        image=([None], tf.string),
    )
    with pytest.raises(ExportError, match="ONNX has no operator .* DecodePng"):
        converted(folder, tmp_path)


def test_where_tensorflow_takes_nothing_the_input_is_named(tf, saved, tmp_path):
    def picky(table, x):
        with tf.control_dependencies([tf.debugging.assert_greater(x, 1000.0)]):
            return {"y": x + table[0, 0]}

    folder = saved(picky, x=([None, 2], tf.float32))
    with pytest.raises(NotDrawn, match="--range x=LOW:HIGH"):
        converted(folder, tmp_path)
    converted(folder, tmp_path, declared=[("x", 1001.0, 2000.0)])
