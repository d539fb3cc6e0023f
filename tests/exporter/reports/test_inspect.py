import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporter.errors import NoOnnx
from exporter.reports.inspect import inspect
from tests.examples import linear_onnx
from tests.runtime.graphs import texts_and_flags


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_onnx())
    return path


def test_what_is_shown_of_a_small_model(path):
    """The model flattens (batch, 2, 2, 1) pixels and multiplies by 4 x 3 weights."""
    found = inspect(path).to_json()
    producer = found.pop("producer")
    assert isinstance(producer, str)
    assert found == {
        "file": "model.onnx",
        "size_bytes": path.stat().st_size,
        "ir_version": 8,
        "opsets": {"": 18},
        "inputs": (
            {"name": "pixels", "dtype": "float32", "shape": ("batch", 2, 2, 1)},
        ),
        "outputs": ({"name": "scores", "dtype": "float32", "shape": ("batch", 3)},),
        "operators": {"Flatten": 1, "MatMul": 1},
        "parameters": 12,
        "flops": 24,
        "metadata": {},
    }


def test_metadata_is_what_the_writer_noted(path):
    model = onnx.load(path)
    helper.set_model_props(model, {"labels": "zero,one"})
    onnx.save(model, path)
    assert inspect(path).metadata == {"labels": "zero,one"}


def test_external_data_counts_and_is_not_needed(tmp_path):
    path = tmp_path / "model.onnx"
    model = onnx.load_from_string(linear_onnx())
    weights = numpy_helper.from_array(np.zeros((4, 300), np.float32), "weights")
    model.graph.initializer[0].CopyFrom(weights)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 300
    onnx.save(
        model,
        path,
        save_as_external_data=True,
        location="model.onnx.data",
        size_threshold=0,
    )
    assert (tmp_path / "model.onnx.data").stat().st_size >= 4800
    found = inspect(path)
    assert found.parameters == 1200
    assert found.flops == 2400
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert (len(sizes), found.size_bytes) == (2, sum(sizes))


def test_nodes_inside_branches_are_counted(tmp_path):
    def branch(name):
        made = helper.make_node("Constant", [], [name], value_float=1.0)
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, [])
        return helper.make_graph([made], name, [], [out])

    choose = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("a"), else_branch=branch("b")
    )
    flag = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    chosen = helper.make_tensor_value_info("y", TensorProto.FLOAT, [])
    graph = helper.make_graph([choose], "g", [flag], [chosen])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    assert inspect(tmp_path / "m.onnx").operators == {"Constant": 2, "If": 1}


def test_texts_and_flags_have_numpys_names(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(texts_and_flags())
    assert {t.dtype for t in inspect(path).inputs} >= {"object"}


@pytest.mark.parametrize("content", [b"", b"junk", b"\x08\x08"])
def test_a_file_of_something_else(tmp_path, content):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(NoOnnx, match="m.onnx is not an ONNX file"):
        inspect(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NoOnnx, match="cannot be read: No such file"):
        inspect(tmp_path / "m.onnx")
