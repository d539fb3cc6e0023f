import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from bundle.errors import ShapeError
from runtime.backends.onnx import CPU, CUDA, open_onnx
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError, ProviderError
from tests.examples import linear_onnx, serialize
from tests.runtime.graphs import onnx_of

HAS_CUDA = CUDA in onnxruntime.get_available_providers()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_onnx())
    return path


def test_it_answers_as_computed_by_hand(path):
    backend = open_onnx(path, BackendOptions(provider="cpu"))
    pixels = np.array([1, 2, 3, 4], np.float32).reshape(1, 2, 2, 1)
    # The row times tests.examples.WEIGHTS is 1, 2, 3 + 4.
    assert backend.run({"pixels": pixels})["scores"].tolist() == [[1, 2, 7]]


def test_a_session_takes_one_thread_and_does_not_spin(path):
    backend = open_onnx(path, BackendOptions(provider="cpu"))
    settings = backend._session.get_session_options()
    assert settings.intra_op_num_threads == 1
    spinning = settings.get_session_config_entry("session.intra_op.allow_spinning")
    assert spinning == "0"


def test_it_tells_its_tensors_and_its_device(path):
    backend = open_onnx(path, BackendOptions(provider="cpu"))
    assert (backend.name, backend.device) == ("onnxruntime", CPU)
    assert [(i.name, i.dtype, i.shape) for i in backend.inputs] == [
        ("pixels", np.float32, (None, 2, 2, 1))
    ]
    assert [(o.name, o.shape) for o in backend.outputs] == [("scores", (None, 3))]


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "input 'pixels' is missing"),
        ({"img": np.zeros((1, 2, 2, 1), np.float32)}, "no input 'img'"),
        (
            {"pixels": np.zeros((1, 3, 2, 1), np.float32)},
            r"shape \(1, 3, 2, 1\) .* takes \(any, 2, 2, 1\)",
        ),
        ({"pixels": np.zeros((2, 2, 1), np.float32)}, "has shape"),
        ({"pixels": np.zeros((1, 2, 2, 1))}, "is float64 .* takes float32"),
        ({"pixels": np.zeros((0, 2, 2, 1), np.float32)}, "empty batch"),
    ],
)
def test_a_wrong_input_is_told_what_was_expected(path, inputs, sentence):
    backend = open_onnx(path, BackendOptions(provider="cpu"))
    with pytest.raises(ShapeError, match=sentence):
        backend.run(inputs)


def test_a_file_that_is_no_model_names_no_folder(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(BackendError) as caught:
        open_onnx(path, BackendOptions(provider="cpu"))
    assert str(caught.value) == "ONNX Runtime cannot load model.onnx"


@pytest.mark.parametrize("name", [b"scores", b"batch"], ids=["tensor", "axis"])
def test_a_name_that_is_no_text_is_refused(path, name):
    path.write_bytes(path.read_bytes().replace(name, b"\x87" + name[1:]))
    with pytest.raises(BackendError, match=r"model\.onnx has a name that is not UTF-8"):
        open_onnx(path, BackendOptions(provider="cpu"))


def test_a_model_that_cannot_run_is_found_when_it_is_opened(tmp_path):
    """A session opens on it; only a run shows that its shapes do not fit."""
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["pixels"], ["shape"]),
            helper.make_node("Reshape", ["bias", "shape"], ["scores"]),
        ],
        "broken",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 5])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 5])],
        [helper.make_tensor("bias", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(serialize(graph))
    with pytest.raises(BackendError, match="ONNX Runtime failed"):
        open_onnx(path, BackendOptions(provider="cpu"))


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime is built with CUDA")
def test_cuda_asked_for_and_not_there_is_an_error(path):
    with pytest.raises(ProviderError, match="built without CUDA"):
        open_onnx(path, BackendOptions(provider="cuda"))


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime is built with CUDA")
def test_auto_without_cuda_is_the_cpu(path):
    assert open_onnx(path, BackendOptions(provider="auto")).device == CPU


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime is built with CUDA")
def test_cuda_that_is_listed_and_does_not_work_is_the_cpu(path, monkeypatch, caplog):
    """The CUDA wheel lists CUDA on machines without its libraries too."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    with pytest.warns(UserWarning, match=CUDA):
        backend = open_onnx(path, BackendOptions(provider="auto"))
    assert backend.device == CPU
    assert "CUDA does not work" in caplog.text


def has_working_cuda():
    if not HAS_CUDA:
        return False
    onnxruntime.preload_dlls()
    return Path("/dev/nvidiactl").exists()


@pytest.mark.skipif(not has_working_cuda(), reason="there is no GPU")
def test_cuda_rounds_float32_as_the_cpu_does(tmp_path):
    """Factors of 24 bits become products of 10 bits where TF32 is on."""
    factors = np.random.default_rng(1).normal(size=(256, 256)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["pixels", "factors"], ["scores"])],
        "product",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 256])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 256])],
        [helper.make_tensor("factors", TensorProto.FLOAT, [256, 256], factors.ravel())],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(serialize(graph))
    backend = open_onnx(path, BackendOptions(provider="cuda"))
    assert backend.device == CUDA
    pixels = np.random.default_rng(2).normal(size=(64, 256)).astype(np.float32)
    exact = pixels.astype(np.float64) @ factors.astype(np.float64)
    found = backend.run({"pixels": pixels})["scores"]
    assert np.abs(found - exact).max() < 1e-4


def string_model(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["text"], ["same"])],
        "strings",
        [helper.make_tensor_value_info("text", TensorProto.STRING, ["batch", 1])],
        [helper.make_tensor_value_info("same", TensorProto.STRING, ["batch", 1])],
    )
    path = tmp_path / "strings.onnx"
    path.write_bytes(serialize(graph))
    return path


def test_a_model_of_strings_is_warmed_and_answers(tmp_path):
    backend = open_onnx(string_model(tmp_path), BackendOptions(provider="cpu"))
    answer = backend.run({"text": np.array([["a"], ["b"]], object)})
    assert answer["same"].tolist() == [["a"], ["b"]]


def test_a_model_of_free_size_is_opened_though_it_refuses_the_size_tried(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["pixels", "shape"], ["scores"])],
        "free",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", "h", "w"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [5])],
        [helper.make_tensor("shape", TensorProto.INT64, [1], [5])],
    )
    path = tmp_path / "free.onnx"
    path.write_bytes(serialize(graph))
    backend = open_onnx(path, BackendOptions(provider="cpu"))
    answer = backend.run({"pixels": np.arange(5, dtype=np.float32).reshape(1, 1, 5)})
    assert answer["scores"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("shape", [["batch", 0, 4], [0, 4, 4], ["batch", 2**40, 4]])
def test_an_input_of_no_or_endless_numbers_is_refused(tmp_path, shape):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["numbers"], ["same"])],
        "odd",
        [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, shape)],
    )
    path = tmp_path / "odd.onnx"
    path.write_bytes(serialize(graph))
    with pytest.raises(BackendError, match="it must hold 1 to 67108864 numbers"):
        open_onnx(path, BackendOptions(provider="cpu"))


@pytest.mark.slow
def test_nothing_is_kept_in_the_home_folder_to_be_sent_to_microsoft(path, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    # ONNX Runtime itself keeps nothing if these variables say that it is under test.
    testing = ("CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {k: v for k, v in os.environ.items() if k not in testing}
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import pathlib, sys;"
            "from runtime.backends.options import BackendOptions;"
            "from runtime.backends.onnx import open_onnx;"
            "open_onnx(pathlib.Path(sys.argv[1]), BackendOptions(provider='cpu'))",
            path,
        ],
        env=environment | {"HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert list(home.iterdir()) == []


MEASURE = """
import pathlib, sys, numpy, psutil
from runtime.backends.options import BackendOptions
from runtime.backends.onnx import open_onnx
backend = open_onnx(pathlib.Path(sys.argv[1]), BackendOptions(provider="cpu"))
before = psutil.Process().memory_info().rss
backend.run({"x": numpy.ones((1 << 12, 1 << 10), numpy.float32)})
print(psutil.Process().memory_info().rss - before)
"""


@pytest.mark.slow
def test_what_the_first_large_batch_took_is_given_back(path):
    """The warm-up takes 16 MB for the items, and 256 MB for a layer's result."""
    content = onnx_of(
        [
            ("Concat", ["x"] * 16, ["wide"], {"axis": 1}),
            ("ReduceMax", ["wide", "axes"], ["y"], {"keepdims": 0}),
        ],
        [("x", TensorProto.FLOAT, ("n", 1 << 10))],
        [("y", TensorProto.FLOAT, ("n",))],
        axes=np.array([1], np.int64),
    )
    path.write_bytes(content)
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(found.stdout) < 100e6


def nchw_onnx(path, names="pixels"):
    """Write (n, 3, 2, 4) -> (n, 3), the channels' sums; its metadata says NCHW."""
    content = onnx_of(
        [("ReduceSum", ["pixels", "axes"], ["sums"], {"keepdims": 0})],
        [("pixels", TensorProto.FLOAT, ("n", 3, 2, 4))],
        [("sums", TensorProto.FLOAT, ("n", 3))],
        axes=np.array([2, 3], np.int64),
    )
    model = onnx.load_from_string(content)
    helper.set_model_props(model, {"nchw_inputs": names})
    path.write_bytes(model.SerializeToString())


def test_a_model_of_nchw_pictures_takes_nhwc_as_requests_have_them(path):
    nchw_onnx(path)
    backend = open_onnx(path, BackendOptions(provider="cpu"))
    (spec,) = backend.inputs
    assert spec.shape == (None, 2, 4, 3)
    pictures = np.zeros((2, 2, 4, 3), np.float32)
    pictures[0, :, :, 1] = 1  # all 2 x 4 pixels
    pictures[1, 0, 3, 2] = 5
    answer = backend.run({"pixels": pictures})["sums"]
    assert answer.tolist() == [[0, 8, 0], [0, 0, 5]]


@pytest.mark.parametrize("names", ["other", "sums", "pixels,other"])
def test_metadata_of_an_input_that_is_not_there_is_refused(path, names):
    nchw_onnx(path, names)
    with pytest.raises(BackendError, match="'nchw_inputs' names what is no input"):
        open_onnx(path, BackendOptions(provider="cpu"))
