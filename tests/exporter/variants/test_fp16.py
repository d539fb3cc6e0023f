import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from exporter.errors import ExportError
from exporter.variants.fp16 import to_fp16
from runtime.backends.onnx import open_onnx
from runtime.backends.options import BackendOptions
from tests.examples import WEIGHTS, linear_onnx
from tests.runtime.graphs import onnx_of

CPU = BackendOptions(provider="cpu")


@pytest.fixture
def halved(tmp_path):
    """Convert a model, and return its numbers on inputs that are all ones."""
    path = tmp_path / "model.onnx"

    def halve(content, **shapes):
        path.write_bytes(content)
        ones = {name: np.ones(s, np.float32) for name, s in shapes.items()}
        return to_fp16(path, [ones or {"pixels": np.ones((1, 2, 2, 1), np.float32)}])

    return halve


def opened(model, tmp_path):
    path = tmp_path / "model.fp16.onnx"
    path.write_bytes(model.SerializeToString())
    return open_onnx(path, CPU)


def test_weights_are_half_and_the_wire_is_not(halved, tmp_path):
    model = halved(linear_onnx())
    assert [w.data_type for w in model.graph.initializer] == [TensorProto.FLOAT16]
    backend = opened(model, tmp_path)
    assert [s.dtype for s in (*backend.inputs, *backend.outputs)] == [np.float32] * 2
    pixels = np.array([1, 2, 3, 4], np.float32).reshape(1, 2, 2, 1)
    assert backend.run({"pixels": pixels})["scores"].tolist() == [[1, 2, 7]]


def test_numbers_are_rounded_to_eleven_bits(halved, tmp_path):
    backend = opened(halved(linear_onnx(WEIGHTS * 2049)), tmp_path)
    pixels = np.array([1, 0, 0, 0], np.float32).reshape(1, 2, 2, 1)
    # IEEE 754 binary16 holds every whole number up to 2048, and only even ones above
    # that.
    assert backend.run({"pixels": pixels})["scores"].tolist() == [[2048, 0, 0]]


def test_an_operator_without_half_precision_keeps_float32(halved, tmp_path):
    content = onnx_of(
        [
            ("MatMul", ["x", "w"], ["y"], {}),
            ("TopK", ["y", "k"], ["best", "which"], {}),
        ],
        [("x", TensorProto.FLOAT, ("n", 4))],
        [("best", TensorProto.FLOAT, ("n", 1)), ("which", TensorProto.INT64, ("n", 1))],
        w=WEIGHTS,
        k=np.array([1], np.int64),
    )
    answer = opened(halved(content, x=(1, 4)), tmp_path).run(
        {"x": np.array([[1, 2, 3, 4]], np.float32)}
    )
    assert (answer["best"].tolist(), answer["which"].tolist()) == ([[7]], [[2]])


def test_scales_of_a_resize_keep_float32(halved, tmp_path):
    content = onnx_of(
        [("Resize", ["x", "", "scales"], ["y"], {"mode": "nearest"})],
        [("x", TensorProto.FLOAT, ("n", 1, 2, 2))],
        [("y", TensorProto.FLOAT, ("n", 1, 4, 4))],
        scales=np.array([1, 1, 2, 2], np.float32),
    )
    answer = opened(halved(content, x=(1, 1, 2, 2)), tmp_path).run(
        {"x": np.array([[[[1, 2], [3, 4]]]], np.float32)}
    )
    assert answer["y"][0, 0, ::2, ::2].tolist() == [[1, 2], [3, 4]]


def test_metadata_stays(halved):
    model = onnx.load_from_string(linear_onnx())
    helper.set_model_props(model, {"made": "by hand"})
    (entry,) = halved(model.SerializeToString()).metadata_props
    assert (entry.key, entry.value) == ("made", "by hand")


def test_numbers_that_half_precision_does_not_hold_are_refused(halved):
    """The CPU would compute them in float32, and show no difference."""
    halved(linear_onnx(np.full((4, 3), 65504 / 4, np.float32)))
    with pytest.raises(ExportError, match="'scores' reaches 6.56e.04"):
        halved(linear_onnx(np.full((4, 3), 65600 / 4, np.float32)))


def test_so_are_numbers_between_operators(halved):
    content = onnx_of(
        [("Mul", ["x", "large"], ["between"], {}), ("Tanh", ["between"], ["y"], {})],
        [("x", TensorProto.FLOAT, ("n", 2))],
        [("y", TensorProto.FLOAT, ("n", 2))],
        large=np.array(-1e6, np.float32),
    )
    with pytest.raises(ExportError, match="'between' reaches 1e.06"):
        halved(content, x=(3, 2))


def test_what_the_converter_cannot_do_is_a_sentence(halved):
    model = onnx.load_from_string(linear_onnx())
    model.graph.node[1].op_type = "NoSuchOperator"
    with pytest.raises(ExportError, match="^it cannot be made float16: "):
        halved(model.SerializeToString())
