import logging

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from exporter.errors import ExportError
from exporter.variants.int8 import to_int8
from runtime.backends.onnx import open_onnx
from runtime.backends.options import BackendOptions
from tests.examples import WEIGHTS, linear_onnx
from tests.runtime.graphs import identity, onnx_of

CPU = BackendOptions(provider="cpu")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_onnx())
    return path


@pytest.fixture
def pixels():
    """Return pixels from 0 to 1, the range of the calibration."""
    generator = np.random.default_rng(3)
    return generator.uniform(0, 1, (64, 2, 2, 1)).astype(np.float32)


def opened(model, path):
    path.write_bytes(model.SerializeToString())
    return open_onnx(path, CPU)


def test_answers_are_near_to_the_products_and_quantized(path, pixels):
    model = to_int8(path, [{"pixels": pixels}])
    answer = opened(model, path).run({"pixels": pixels})["scores"]
    wanted = pixels.reshape(64, 4) @ WEIGHTS
    # The input of 0..1 and the output of 0..2 have 255 steps each, and each is rounded
    # by half a step.
    assert np.abs(answer - wanted).max() < 3 * 2 / 255
    assert len(np.unique(answer)) <= 256


def test_weights_are_seven_bits_a_channel(path, pixels):
    path.write_bytes(linear_onnx(WEIGHTS * np.array([1, 10, 100], np.float32)))
    model = to_int8(path, [{"pixels": pixels}])
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    (quantized,) = [w for w in weights.values() if w.shape == (4, 3)]
    assert quantized.dtype == np.int8
    # Each channel has its own scale: its largest weight becomes the largest possible
    # number.
    assert quantized.max(axis=0).tolist() == [64, 64, 64]


def test_what_is_out_of_the_calibrated_range_is_cut(path, pixels):
    backend = opened(to_int8(path, [{"pixels": pixels / 2}]), path)
    white = np.ones((1, 2, 2, 1), np.float32)
    assert backend.run({"pixels": white})["scores"][0, 0] == pytest.approx(
        0.5, abs=0.01
    )


def test_every_batch_counts_for_the_range(path, pixels):
    batches = [
        {"pixels": pixels[:8] / 4},
        {"pixels": np.ones((8, 2, 2, 1), np.float32)},
    ]
    backend = opened(to_int8(path, batches), path)
    white = np.ones((1, 2, 2, 1), np.float32)
    assert backend.run({"pixels": white})["scores"][0, 0] == pytest.approx(1, abs=0.02)


def test_probabilities_stay_in_float(path):
    content = onnx_of(
        [("MatMul", ["x", "w"], ["y"], {}), ("Softmax", ["y"], ["p"], {})],
        [("x", TensorProto.FLOAT, ("n", 4))],
        [("p", TensorProto.FLOAT, ("n", 3))],
        w=WEIGHTS,
    )
    path.write_bytes(content)
    rows = np.random.default_rng(5).uniform(0, 1, (32, 4)).astype(np.float32)
    model = to_int8(path, [{"x": rows}])
    assert model.graph.node[-1].op_type == "Softmax"
    assert model.graph.node[-1].output[0] == "p"


def test_a_model_of_nchw_pictures_is_calibrated_with_nhwc_ones(path):
    content = onnx_of(
        [("Conv", ["pixels", "w"], ["y"], {})],
        [("pixels", TensorProto.FLOAT, ("n", 3, 2, 4))],
        [("y", TensorProto.FLOAT, ("n", 1, 2, 4))],
        w=np.array([1, 2, 4], np.float32).reshape(1, 3, 1, 1),
    )
    nchw = onnx.load_from_string(content)
    helper.set_model_props(nchw, {"nchw_inputs": "pixels"})
    path.write_bytes(nchw.SerializeToString())
    pictures = np.random.default_rng(1).uniform(0, 1, (8, 2, 4, 3)).astype(np.float32)
    model = to_int8(path, [{"pixels": pictures}])
    backend = opened(model, path)
    answer = backend.run({"pixels": pictures})["y"][:, 0]
    wanted = pictures @ np.array([1, 2, 4], np.float32)
    assert np.abs(answer - wanted).max() < 0.1


def test_a_model_with_nothing_to_quantize_is_refused(path):
    path.write_bytes(identity())
    with pytest.raises(ExportError, match="no operator that could be quantized"):
        to_int8(path, [{"x": np.ones((4, 3), np.float32)}])


def test_a_failure_is_a_sentence_and_no_page_in_the_log(path, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(ExportError, match="^it cannot be quantized: "):
        to_int8(path, [{"other": np.ones((4, 3), np.float32)}])
    assert caplog.text == ""
