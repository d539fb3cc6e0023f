import base64
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bundle.errors import ShapeError
from bundle.folder import open_bundle
from runtime.backends import InputRefused
from runtime.backends.opening import open_tensorflow
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError
from runtime.models.opening import model_of
from tests.examples import write_bundle
from tests.unpacked import unpack

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def tf():
    import tensorflow

    return tensorflow


def save(tf, folder, function, spec, key="serving_default"):
    module = tf.Module()
    module.served = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, folder, signatures={key: module.served})
    return folder


@pytest.fixture
def doubler(tf, tmp_path):
    spec = tf.TensorSpec([None, 3], tf.float32, name="numbers")
    return save(tf, tmp_path, lambda numbers: {"doubled": 2 * numbers}, spec)


@pytest.fixture
def open_backend():
    from runtime.backends.saved_model import SavedModelBackend

    return SavedModelBackend


def test_it_answers_as_computed_by_hand(open_backend, doubler):
    outputs = open_backend(doubler).run({"numbers": np.array([[1, 2, 3]], np.float32)})
    assert outputs["doubled"].tolist() == [[2, 4, 6]]


def test_it_tells_its_tensors_and_its_device(open_backend, doubler):
    backend = open_backend(doubler)
    assert (backend.name, backend.device) == ("tensorflow", "cpu")
    assert [(i.name, i.dtype, i.shape) for i in backend.inputs] == [
        ("numbers", np.float32, (None, 3))
    ]
    assert [(o.name, o.shape) for o in backend.outputs] == [("doubled", (None, 3))]


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "input 'numbers' is missing"),
        ({"numbers": np.zeros((1, 4), np.float32)}, r"shape \(1, 4\) .*\(any, 3\)"),
        ({"numbers": np.zeros((1, 3))}, "is float64"),
    ],
)
def test_a_wrong_input_is_told_what_was_expected(
    open_backend, doubler, inputs, sentence
):
    with pytest.raises(ShapeError, match=sentence):
        open_backend(doubler).run(inputs)


def test_an_engine_that_fails_is_a_backend_error(open_backend, tf, tmp_path):
    spec = tf.TensorSpec([None], tf.float32, name="numbers")

    def refuse(numbers):
        tf.debugging.assert_non_negative(numbers)
        return {"same": numbers}

    backend = open_backend(save(tf, tmp_path, refuse, spec))
    with pytest.raises(BackendError, match="TensorFlow failed on this input"):
        backend.run({"numbers": np.array([-1], np.float32)})


def test_a_missing_signature_names_those_there_are(open_backend, tf, tmp_path):
    spec = tf.TensorSpec([None], tf.float32)
    save(tf, tmp_path, lambda numbers: {"x": numbers}, spec, key="mine")
    with pytest.raises(BackendError, match="no signature 'serving_default'.*mine"):
        open_backend(tmp_path)


def test_a_file_that_is_no_saved_model_names_no_folder(open_backend, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(BackendError) as caught:
        open_backend(tmp_path)
    assert str(caught.value) == "TensorFlow cannot load saved_model.pb"


@pytest.mark.parametrize("length", [0, 100])
def test_truncated_variables_are_refused_and_name_no_folder(
    open_backend, tf, tmp_path, length
):
    module = tf.Module()
    module.weights = tf.Variable(tf.ones([3, 100]))
    spec = tf.TensorSpec([None, 3], tf.float32, name="numbers")
    module.served = tf.function(
        lambda numbers: {"sums": numbers @ module.weights}, input_signature=[spec]
    )
    signatures = {"serving_default": module.served}
    tf.saved_model.save(module, tmp_path, signatures=signatures)
    (data,) = tmp_path.glob("variables/variables.data-*")
    data.write_bytes(data.read_bytes()[:length])
    with pytest.raises(BackendError) as caught:
        open_backend(tmp_path)
    assert str(caught.value) == "TensorFlow cannot load saved_model.pb"


def test_without_tensorflow_it_says_what_to_install(open_backend, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    with pytest.raises(BackendError, match="install the extra 'tensorflow'"):
        open_backend("anywhere")


def test_a_model_that_cannot_run_is_found_when_it_is_opened(tf, tmp_path):
    """TensorFlow loads it; only a run shows that it fails."""
    folder = write_bundle(tmp_path / "linear")
    spec = tf.TensorSpec([None, 5], tf.float32, name="numbers")

    def fail(numbers):
        return {"same": tf.reshape(tf.zeros([10]), tf.shape(numbers))}

    save(tf, folder, fail, spec)
    with pytest.raises(BackendError, match="TensorFlow failed on this input"):
        open_tensorflow(open_bundle(folder))


def test_a_model_that_takes_no_zeros_is_opened(tf, tmp_path):
    """A model may refuse zeros, which only the warm-up sends."""
    spec = tf.TensorSpec([None], tf.float32, name="numbers")

    def refuse(numbers):
        tf.debugging.assert_positive(numbers)
        return {"same": numbers}

    backend = open_tensorflow(
        open_bundle(save_bundle(tf, tmp_path / "linear", refuse, spec))
    )
    assert backend.run({"numbers": np.array([2], np.float32)})["same"].tolist() == [2]


def test_pictures_in_base64_are_opened_and_answered(tf, tmp_path):
    """The warm-up tries no text of that kind: the model is served, but not warmed."""
    spec = tf.TensorSpec([None], tf.string, name="image")

    def sums(image):
        def one(text):
            pixels = tf.io.decode_png(tf.io.decode_base64(text), 1)
            return tf.reduce_sum(tf.cast(pixels, tf.float32))

        return {"sum": tf.map_fn(one, image, fn_output_signature=tf.float32)}

    folder = save_bundle(tf, tmp_path / "linear", sums, spec)
    model = model_of(open_bundle(folder), None, BackendOptions(onnx="off"))
    assert model.warm_up.startswith("not warmed up: the model takes none")
    png = io.BytesIO()
    Image.fromarray(np.array([[1, 2], [3, 250]], np.uint8)).save(png, "png")
    text = base64.urlsafe_b64encode(png.getvalue()).rstrip(b"=")
    answer, _ = model.run({"image": np.array([text, text], object)})
    assert answer["sum"].tolist() == [256.0, 256.0]
    with pytest.raises(InputRefused):
        model.run({"image": np.array([b"no picture"], object)})


def save_bundle(tf, folder, function, spec):
    """Write a bundle of a function without labels and without pictures."""
    write_bundle(folder, labels=(), params={"img_channels": 0, "labels": ""})
    (folder / "model.onnx").unlink()
    (folder / "parity.json").unlink()
    save(tf, folder, function, spec)
    return folder


# Keras 2 wrote this after compile(Adam) and fit, as TensorFlow 2.0 to 2.10 do, with its
# answers beside it. tests/exporter/keras2/make_files.py made the file.
SLOTS = Path(__file__).with_name("optimizer_slots.tar.xz")


@pytest.fixture
def trained(tmp_path):
    unpack(SLOTS, tmp_path)
    with np.load(tmp_path / "adam.npz") as recorded:
        return tmp_path / "adam", recorded["x"], recorded["y"]


def answer(backend, rows):
    (name,), (output,) = (s.name for s in backend.inputs), backend.outputs
    return backend.run({name: rows})[output.name]


def test_an_optimizers_slots_are_passed_over(open_backend, trained):
    folder, rows, expected = trained
    backend = open_backend(folder)
    np.testing.assert_allclose(answer(backend, rows), expected, rtol=1e-6)
    # These are the model's variables alone; Adam has two more for each of them.
    assert len(backend.signature.call.variables) == 8


def edit(folder, change):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    change(saved)
    path.write_bytes(saved.SerializeToString())


def test_objects_that_tensorflow_cannot_make_again_are_not_needed(
    open_backend, trained
):
    """TensorFlow Serving makes none of these objects either."""

    def change(saved):
        for node in saved.meta_graphs[0].object_graph_def.nodes:
            if node.user_object.identifier == "optimizer":
                node.user_object.identifier = "somebody's own"

    folder, rows, expected = trained
    edit(folder, change)
    np.testing.assert_allclose(answer(open_backend(folder), rows), expected, rtol=1e-6)


def tagged(*tags):
    def change(saved):
        (first,) = saved.meta_graphs
        others = [type(first).FromString(first.SerializeToString()) for _ in tags[1:]]
        for graph, some in zip([first, *others], tags, strict=True):
            graph.meta_info_def.ClearField("tags")
            graph.meta_info_def.tags.extend(some)
            if "serve" not in some or "tpu" in some:
                graph.ClearField("signature_def")
        saved.meta_graphs.extend(others)

    return change


@pytest.mark.parametrize(
    "tags",
    [
        [["train"], ["serve"]],
        [["serve", "tpu"], ["gpu", "serve"], ["serve"]],
        [["serve", "tpu"], ["gpu", "serve"]],
        [["serve", "gpu"]],
    ],
)
def test_of_several_graphs_the_one_for_serving_is_taken(open_backend, trained, tags):
    folder, rows, expected = trained
    edit(folder, tagged(*tags))
    np.testing.assert_allclose(answer(open_backend(folder), rows), expected, rtol=1e-6)


def test_graphs_none_of_which_is_for_serving_are_told(open_backend, trained):
    folder, _, _ = trained
    edit(folder, tagged(["train"], ["eval", "gpu"]))
    with pytest.raises(
        BackendError, match="has 2 graphs, and none is for serving: .* train; eval gpu;"
    ):
        open_backend(folder)


@pytest.mark.slow
def test_tensorflow_is_imported_without_keras_and_finds_it_later():
    code = (
        "import os, sys\n"
        "from runtime.backends.saved_model import import_tensorflow\n"
        "tensorflow = import_tensorflow()\n"
        "assert not {'keras', 'matplotlib'} & sys.modules.keys()\n"
        "assert 'TF_USE_LEGACY_KERAS' not in os.environ\n"
        "print(tensorflow.keras.layers.Dense.__module__)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "keras.src.layers.core.dense\n"
