"""Expected values come from Keras itself."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.unpacked import unpack

pytestmark = pytest.mark.tensorflow
SLOTS = Path(__file__).parents[2] / "runtime/backends/optimizer_slots.tar.xz"


def run(model, inputs):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


@pytest.fixture
def convert():
    from exporter.onnx_model.convert import convert
    from runtime.backends.saved_model import load_signature

    return lambda folder: convert(load_signature(folder))


def shapes(nodes):
    return {
        node.name: [d.dim_param or d.dim_value for d in node.type.tensor_type.shape.dim]
        for node in nodes
    }


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_sequential_model_answers_as_keras(convert, saved_model, small_cnn, size):
    """from_keras fails on these models: see tensorflow-onnx issues 2319 and 2448."""
    model = convert(saved_model(small_cnn))
    images = np.random.default_rng(size).uniform(0, 255, (size, 8, 8, 1))
    images = images.astype(np.float32)
    expected = np.asarray(small_cnn(images, training=False))
    answered = run(model, {"input_1": images})["output_0"]
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)


def test_the_graph_has_the_signatures_names_and_a_free_batch(
    convert, saved_model, small_cnn
):
    model = convert(saved_model(small_cnn))
    assert shapes(model.graph.input) == {"input_1": ["batch", 8, 8, 1]}
    assert shapes(model.graph.output) == {"output_0": ["batch", 3]}
    assert {o.domain: o.version for o in model.opset_import}[""] == 18


def test_dropout_is_gone(convert, saved_model, small_cnn):
    operators = {n.op_type for n in convert(saved_model(small_cnn)).graph.node}
    assert "Dropout" not in operators
    assert not any(op.startswith("Random") for op in operators)


def test_a_functional_model_of_several_inputs_and_outputs(convert, saved_model, keras):
    left = keras.Input((3,), name="left")
    right = keras.Input((2,), name="right")
    joined = keras.layers.Concatenate()([left, right])
    model = keras.Model(
        {"left": left, "right": right},
        {
            "sum": keras.layers.Dense(1, name="sum")(joined),
            "classes": keras.layers.Dense(4, activation="softmax")(joined),
        },
    )
    converted = convert(saved_model(model))
    assert set(shapes(converted.graph.input)) == {"left", "right"}
    assert set(shapes(converted.graph.output)) == {"sum", "classes"}
    inputs = {
        "left": np.array([[1, 2, 3]], np.float32),
        "right": np.array([[4, 5]], np.float32),
    }
    expected = model(inputs)
    answered = run(converted, inputs)
    for name in ("sum", "classes"):
        np.testing.assert_allclose(
            answered[name], np.asarray(expected[name]), rtol=1e-4, atol=1e-5
        )


def test_a_subclassed_model(convert, saved_model, keras):
    class Halver(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, numbers):
            return self.dense(numbers) / 2

    model = Halver()
    numbers = np.array([[1, 2, 3]], np.float32)
    expected = np.asarray(model(numbers))
    converted = convert(saved_model(model))
    (name,) = shapes(converted.graph.input)
    (answered,) = run(converted, {name: numbers}).values()
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)


def test_a_model_of_a_fixed_batch_keeps_it(convert, tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.double = tf.function(
        lambda numbers: {"doubled": 2 * numbers},
        input_signature=[tf.TensorSpec([4, 3], tf.float32, name="numbers")],
    )
    signatures = {"serving_default": module.double}
    tf.saved_model.save(module, tmp_path, signatures=signatures)
    converted = convert(tmp_path)
    assert shapes(converted.graph.input) == {"numbers": [4, 3]}
    assert shapes(converted.graph.output) == {"doubled": [4, 3]}


def test_what_tf2onnx_leaves_unconverted_is_an_error(convert, saved_model, keras):
    """tf2onnx 1.17 reports success and leaves StaticRegexReplace in the graph."""
    import tensorflow as tf

    from exporter.errors import ExportError

    class Stripped(keras.layers.Layer):
        def call(self, texts):
            return tf.strings.regex_replace(texts, "[.,]", "")

    model = keras.Sequential(
        [keras.Input((1,), dtype="string", name="input_1"), Stripped(name="bare")]
    )
    with pytest.raises(
        ExportError, match=r"no operator .*: StaticRegexReplace \(in .*bare"
    ):
        convert(saved_model(model))


def test_texts_that_are_split_are_refused_by_their_layer(convert, saved_model, keras):
    from exporter.errors import ExportError

    words = keras.layers.TextVectorization(vocabulary=["yes", "no"], name="words")
    model = keras.Sequential([keras.Input((), dtype="string", name="input_1"), words])
    with pytest.raises(
        ExportError, match=r"StringSplitV2 \(in .*words.*but cannot split, change"
    ):
        convert(saved_model(model))


def test_variables_without_objects_are_frozen(convert, tmp_path):
    """TensorFlow cannot make again the objects of such a SavedModel."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    unpack(SLOTS, tmp_path)
    path = tmp_path / "adam" / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    for node in saved.meta_graphs[0].object_graph_def.nodes:
        if node.user_object.identifier == "optimizer":
            node.user_object.identifier = "somebody's own"
    path.write_bytes(saved.SerializeToString())
    with np.load(tmp_path / "adam.npz") as recorded:
        model = convert(path.parent)
        answered = run(model, {model.graph.input[0].name: recorded["x"]})
        (answer,) = answered.values()
        np.testing.assert_allclose(answer, recorded["y"], rtol=1e-5)


def test_numbers_drawn_at_random_are_refused_by_their_layer(convert, tmp_path):
    import tensorflow as tf

    from exporter.errors import ExportError

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def draw(x):
        with tf.name_scope("sampling"):
            return {"y": x + tf.random.normal([3])}

    tf.saved_model.save(module, tmp_path, signatures={"serving_default": draw})
    with pytest.raises(
        ExportError, match=r"at random.*RandomStandardNormal \(in sampling/"
    ):
        convert(tmp_path)


def test_nodes_are_named_by_their_layers(convert, saved_model, small_cnn):
    names = {n.op_type: n.name for n in convert(saved_model(small_cnn)).graph.node}
    assert "/conv2d" in names["Conv"]
    assert "/dense" in names["MatMul"] if "MatMul" in names else names["Gemm"]


def test_flatten_leaves_no_chain_of_shapes(convert, saved_model, small_cnn):
    operators = {n.op_type for n in convert(saved_model(small_cnn)).graph.node}
    assert not operators & {"Shape", "Gather", "Slice", "Concat", "Cast"}


@pytest.mark.parametrize("opset", [15, 16, 17, 18])
def test_the_opset_is_the_callers(saved_model, small_cnn, opset):
    from exporter.onnx_model.convert import convert
    from exporter.options import Options
    from runtime.backends.saved_model import load_signature

    signature = load_signature(saved_model(small_cnn))
    model = convert(signature, Options(opset=opset))
    assert {o.domain: o.version for o in model.opset_import}[""] == opset
    images = np.zeros((2, 8, 8, 1), np.float32)
    expected = np.asarray(small_cnn(images, training=False))
    answered = run(model, {"input_1": images})["output_0"]
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)


def test_an_input_may_be_taken_as_nchw(saved_model, small_cnn):
    from exporter.onnx_model.convert import convert
    from exporter.options import Options
    from runtime.backends.saved_model import load_signature

    signature = load_signature(saved_model(small_cnn))
    model = convert(signature, Options(inputs_as_nchw=("input_1",)))
    assert shapes(model.graph.input) == {"input_1": ["batch", 1, 8, 8]}
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 1)).astype(np.float32)
    expected = np.asarray(small_cnn(images, training=False))
    answered = run(model, {"input_1": images.transpose(0, 3, 1, 2)})["output_0"]
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)


def test_an_unknown_input_as_nchw_is_named(saved_model, small_cnn):
    from exporter.errors import SourceError
    from exporter.onnx_model.convert import convert
    from exporter.options import Options
    from runtime.backends.saved_model import load_signature

    signature = load_signature(saved_model(small_cnn))
    with pytest.raises(SourceError, match="no input 'pixels'.* input_1"):
        convert(signature, Options(inputs_as_nchw=("pixels",)))


def test_weights_beyond_protobufs_limit_lie_in_a_file_of_their_own(
    saved_model, keras, tmp_path
):
    """A lowered limit makes a small model take the way of one of more than 2 GB."""
    from exporter.onnx_model.convert import convert
    from runtime.backends.saved_model import load_signature

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 200), name="input_1"),
            layers.Conv1D(512, 3, activation="gelu"),
            layers.LSTM(256),
            layers.Dense(2000, activation="softmax"),
        ]
    )
    signature = load_signature(saved_model(model))
    data = tmp_path / "model.onnx.data"
    converted = convert(signature, large_bytes=1000, data=data)
    onnx.save(converted, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").stat().st_size < 200_000
    assert data.stat().st_size > 0.9 * 4 * model.count_params()
    rows = np.random.default_rng(0).standard_normal((3, 6, 200)).astype(np.float32)
    expected = np.asarray(model(rows, training=False))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (answered,) = session.run(None, {"input_1": rows})
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-5)
    onnx.checker.check_model(tmp_path / "model.onnx", full_check=True)


def test_the_result_passes_the_checker(convert, saved_model, small_cnn):
    onnx.checker.check_model(convert(saved_model(small_cnn)), full_check=True)


def saved(tmp_path, function, **signature):
    import tensorflow as tf

    module = tf.Module()
    module.f = tf.function(function)
    specs = {
        name: tf.TensorSpec(shape, tf.float32, name)
        for name, shape in signature.items()
    }
    served = module.f.get_concrete_function(**specs)
    tf.saved_model.save(module, tmp_path, signatures={"serving_default": served})
    return tmp_path


def test_names_that_no_node_may_have_are_kept(convert, tmp_path):
    folder = saved(tmp_path, lambda x: {"out/put: 1": x * 2}, x=[None, 3])
    model = convert(folder)
    assert set(shapes(model.graph.output)) == {"out/put: 1"}
    answered = run(model, {"x": np.array([[1, 2, 3]], np.float32)})
    assert answered["out/put: 1"].tolist() == [[2, 4, 6]]


def test_one_name_for_an_input_and_an_output_is_refused(convert, tmp_path):
    from exporter.errors import ExportError

    folder = saved(tmp_path, lambda x: {"x": x * 2}, x=[None, 3])
    with pytest.raises(ExportError, match="input and an output are both called 'x'"):
        convert(folder)


def test_an_output_that_is_an_input_and_one_that_is_none(convert, tmp_path):
    import tensorflow as tf

    def function(x, unused):
        return {"same": x, "constant": tf.constant([[1.0, 2.0]])}

    model = convert(saved(tmp_path, function, x=[None, 3], unused=[None, 2]))
    rows = np.array([[1, 2, 3]], np.float32)
    answered = run(model, {"x": rows, "unused": rows[:, :2]})
    assert answered["same"].tolist() == [[1, 2, 3]]
    assert answered["constant"].tolist() == [[1, 2]]


def test_two_inputs_may_have_different_numbers_of_rows(convert, tmp_path):
    """Both axes are free; a graph that was cleaned as if they were equal fails here."""
    import tensorflow as tf

    def scores(queries, keys):
        grid = tf.reshape(
            queries[:, tf.newaxis] * keys, [tf.shape(queries)[0], tf.shape(keys)[0], 3]
        )
        return {"scores": tf.reduce_sum(grid, axis=-1)}

    model = convert(saved(tmp_path, scores, queries=[None, 3], keys=[None, 3]))
    queries = np.arange(6, dtype=np.float32).reshape(2, 3)
    keys = np.arange(15, dtype=np.float32).reshape(5, 3)
    answered = run(model, {"queries": queries, "keys": keys})["scores"]
    np.testing.assert_allclose(answered, queries @ keys.T)
