"""The models of other servers move here by the commands of docs/moving.md."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import socket
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import httpx
import numpy as np
import pytest

from bundle.store import ModelStore
from runtime.programs.tensorflow_pb2 import GraphDef
from tests.documents import MOVING, ROOT, transcripts
from tests.end_to_end.conftest import CLIENT, run, run_python, serving
from tests.examples import WEIGHTS, linear_onnx, write_bundle
from tests.forms import png
from tests.frozen import FILE, write_frozen_bundle
from tests.stores.asking import PICTURE

# The flat folder of this store has the weights of this version, and no model.keras.
STRIPES = ROOT / "tests" / "stores" / "1.0.0" / "models" / "stripes" / "1"
# This is the config.json of a TFaaS that is deployed, with another port.
CONFIG = {
    "auth": "false",
    "modelDir": "models",
    "staticDir": "static",
    "configProto": "",
    "base": "",
    "logFormatter": "text",
    "verbose": 0,
    "serverKey": "",
    "serverCrt": "",
    "updateDNs": 60,
    "cacheLimit": 10,
}


def frozen_graph():
    """Return a GraphDef: (N, 4) float32 -> (N, 3), a row times the weights.

    TensorFlow would take seconds to be imported, and writes the same.
    """
    graph, float32 = GraphDef(), 1
    x = graph.node.add(name="x", op="Placeholder").attr
    x["dtype"].type = float32
    weights = graph.node.add(name="weights", op="Const").attr
    weights["dtype"].type = float32
    tensor = weights["value"].tensor
    tensor.dtype, tensor.tensor_content = float32, WEIGHTS.tobytes()
    for shape, sizes in (
        (x["shape"].shape, (-1, 4)),
        (tensor.tensor_shape, WEIGHTS.shape),
    ):
        for size in sizes:
            shape.dim.add(size=size)
    product = graph.node.add(name="scores", op="MatMul", input=["x", "weights"]).attr
    product["T"].type = float32
    product["transpose_a"].b = product["transpose_b"].b = False
    return graph.SerializeToString()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scores_by_hand():
    """Return the scores of the test picture: a softmax of a matrix product."""
    with (
        zipfile.ZipFile(STRIPES / "model.keras") as keras,
        h5py.File(io.BytesIO(keras.read("model.weights.h5"))) as weights,
    ):
        dense = weights["layers/dense/vars"]
        logits = PICTURE.ravel() / 255 @ np.array(dense["0"]) + np.array(dense["1"])
    powers = np.exp(logits)
    return (powers / powers.sum()).tolist()


def linear_by_hand():
    """Return the scores of the pixels 1, 2, 3, 4."""
    return (np.array([1, 2, 3, 4]) @ WEIGHTS).tolist()


ANSWERS = {
    "/predict/image": scores_by_hand,
    "/v1/models/stripes:predict": lambda: {"predictions": [scores_by_hand()]},
    "/v2/models/linear/infer": lambda: {"outputs": [{"data": linear_by_hand()}]},
}


class Original(BaseHTTPRequestHandler):
    """A stand-in for another server, which answers each request with known scores.

    TFaaS, TensorFlow Serving and Triton are programs of other languages, and are not
    installed here.
    """

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(ANSWERS[self.path]()).encode())

    def log_message(self, *arguments):
        """Write no line."""


@contextmanager
def original(port):
    server = ThreadingHTTPServer(("127.0.0.1", port), Original)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Asking:
    """A client that asks one model without a pause; it keeps what came of it."""

    def __init__(self, url, model):
        self.refused, self.engines, self.scores = [], [], []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(url, model))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._ended.set()
        self._thread.join()

    def _ask(self, url, model):
        with httpx.Client(base_url=url, timeout=60) as client:
            while not self._ended.is_set():
                reply = ask(client, model)
                if reply.status_code != 200:
                    self.refused.append(reply.text)
                    continue
                self.engines.append(reply.headers["X-Model-Backend"])
                self.scores.append(reply.json())
                self._ended.wait(0.02)


def ask(client, model, url=""):
    files = {"image": ("x.png", png(PICTURE))}
    return client.post(f"{url}/predict/image", files=files, data={"model": model})


@pytest.mark.tensorflow
def test_a_folder_of_tfaas_moves_here_by_the_commands_of_the_page(tmp_path):
    shutil.copytree(STRIPES.parents[1] / "flat", tmp_path / "models" / "flat")
    write_frozen_bundle(tmp_path / "models" / "tf1", frozen_graph(), name="tf1")
    old, new = free_port(), free_port()
    (tmp_path / "config.json").write_text(json.dumps({"port": old, **CONFIG}))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.png").write_bytes(png(PICTURE))
    before = {p: p.read_bytes() for p in tmp_path.glob("models/**/*") if p.is_file()}
    store = ModelStore(tmp_path / "models")
    text = {
        block.word: block.text.replace("8083", str(old)).replace("8084", str(new))
        for block in transcripts(MOVING)
        if "-" not in block.word
    }

    told = run(text["check"], tmp_path)
    assert "doubtful  config.json: 'auth' has no effect" in told
    assert "stops" not in told
    assert "flat is a SavedModel with 3 labels" in told
    assert "tf1 is a frozen graph" in told
    assert store.versions("flat") == [0]

    with serving(text["beside"].strip() + " --workers 1", tmp_path) as beside:
        assert ask(CLIENT, "flat", beside.url).headers["X-Model-Backend"] == (
            "tensorflow/cpu"
        )
        with original(old):
            assert float(run(text["compare"], tmp_path)) < 1e-5
        assert {p.name for p in store.root.iterdir()} == {"flat", "tf1"}
        with Asking(beside.url, "flat") as asking:
            told = run(text["adopt"], tmp_path)
            assert float(told.splitlines()[-1]) < 1e-5
        assert asking.refused == []
        assert asking.engines[0] == "tensorflow/cpu"
        assert asking.engines[-1] == "onnxruntime/CPUExecutionProvider"
        assert np.abs(np.array(asking.scores) - scores_by_hand()).max() < 1e-5
    log = (tmp_path / "server.log").read_text()
    assert "oneDNN" not in log, "TensorFlow's own lines are not shown"
    assert "flat:1 onnxruntime/CPUExecutionProvider" in told
    assert "tf1:1 onnxruntime/CPUExecutionProvider" in told
    after = {p: p.read_bytes() for p in before}
    assert after == before, "TFaaS finds its folders as it left them"

    with serving(text["switch"].strip() + " --workers 1", tmp_path) as switched:
        assert switched.url.endswith(f":{old}")
        rolled, _, labelled = text["back"].strip().rpartition("\n")
        run(rolled, tmp_path)
        backend = ask(CLIENT, "flat", switched.url).headers["X-Model-Backend"]
        assert backend == "tensorflow/cpu"
        run(labelled, tmp_path)
        assert "flat serves version 1" in run(text["remove"], tmp_path)
        reply = ask(CLIENT, "flat", switched.url)
        assert reply.headers["X-Model-Backend"] == "onnxruntime/CPUExecutionProvider"
    assert store.versions("flat") == [1]
    assert (tmp_path / "old" / "flat" / "saved_model.pb").is_file()
    assert (tmp_path / "models" / "tf1" / FILE).is_file()


def typed(page_word, tmp_path, ports):
    """Return the blocks of one section, with the test's own folder and ports."""
    blocks = {}
    for block in transcripts(MOVING):
        section, _, word = block.word.partition("-")
        if section == page_word:
            text = block.text.replace("/srv/", f"{tmp_path}/srv/")
            for shown, port in ports.items():
                text = re.sub(rf"\b{shown}\b", str(port), text)
            blocks[word] = text
    return blocks


def files_of(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.tensorflow
def test_a_model_of_tensorflow_serving_moves_here_by_the_page(tmp_path):
    version = tmp_path / "srv" / "models" / "stripes" / "1"
    # TensorFlow Serving has no params.json and no labels.txt.
    shutil.copytree(
        STRIPES.parents[1] / "flat",
        version,
        ignore=shutil.ignore_patterns("*.json", "*.txt"),
    )
    before = files_of(version)
    ports = {port: free_port() for port in (8500, 8501, 8600, 8601)}
    text = typed("tfs", tmp_path, ports)
    request = {"instances": PICTURE[None, :, :, None].tolist()}
    (tmp_path / "request.json").write_text(json.dumps(request))

    run(text["gather"], tmp_path)
    told = run(text["check"], tmp_path)
    assert "stops" not in told
    assert "doubtful" not in told
    assert re.search(r"^stripes +1\b", told, re.M)
    with serving(text["beside"].strip() + " --workers 1", tmp_path) as beside:
        with original(ports[8501]):
            assert float(run(text["compare"], tmp_path)) < 1e-5
        assert files_of(version) == before, "nothing is written before step 6"
        assert float(run(text["convert"], tmp_path).splitlines()[-1]) < 1e-5
        reply = CLIENT.post(f"{beside.url}/v1/models/stripes:predict", json=request)
        assert reply.headers["X-Model-Backend"] == "onnxruntime/CPUExecutionProvider"
    after = files_of(version)
    assert before.items() <= after.items()
    assert {p.name for p in after.keys() - before.keys()} == {
        "model.onnx",
        "parity.json",
    }
    with serving(text["switch"].strip() + " --workers 1", tmp_path) as switched:
        assert switched.url.endswith(f":{ports[8501]}")
        run(text["label"], tmp_path)
        labels = CLIENT.get(f"{switched.url}/models/stripes/labels").json()
        assert labels == {"stable": 1}
    places = {path.name for path in version.parent.iterdir()}
    assert all(name == "1" or name.startswith(".") for name in places)


def test_a_repository_of_triton_moves_here_by_the_page(tmp_path):
    repository = tmp_path / "srv" / "models"
    (repository / "linear" / "1").mkdir(parents=True)
    (repository / "linear" / "1" / "model.onnx").write_bytes(linear_onnx())
    (repository / "linear" / "config.pbtxt").write_text(
        'name: "linear"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 4\n'
        'input [ { name: "pixels", data_type: TYPE_FP32, dims: [ 2, 2, 1 ] } ]\n'
        'output [ { name: "scores", data_type: TYPE_FP32, dims: [ 3 ] } ]\n'
    )
    (repository / "other" / "1").mkdir(parents=True)
    (repository / "other" / "1" / "model.plan").write_bytes(b"of another backend")
    before = files_of(repository)
    ports = {port: free_port() for port in (8000, 8001, 8100, 8101)}
    text = typed("triton", tmp_path, ports)
    pixels = {"name": "pixels", "shape": [1, 2, 2, 1], "datatype": "FP32"}
    request = {"inputs": [{**pixels, "data": [1, 2, 3, 4]}]}
    (tmp_path / "request.json").write_text(json.dumps(request))

    run(text["gather"], tmp_path)
    told = run(text["check"], tmp_path)
    assert "stops" not in told
    assert re.search(r"doubtful .*other", told)
    with (
        serving(text["beside"].strip() + " --workers 1", tmp_path),
        original(ports[8000]),
    ):
        assert float(run(text["compare"], tmp_path)) < 1e-5
    with serving(text["switch"].strip() + " --workers 1", tmp_path) as switched:
        assert switched.url.endswith(f":{ports[8000]}")
        reply = CLIENT.post(f"{switched.url}/v2/models/linear/infer", json=request)
        assert reply.json()["outputs"][0]["data"] == linear_by_hand()
    assert files_of(repository) == before


# The command is killed with SIGKILL when the store calls the named function.
KILLED = """
import os, signal, sys
import bundle.publication
def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(bundle.publication, sys.argv.pop(1), die)
from runtime.cli import main
main()
"""


# sync_tree writes the version to the disk before its rename, and sync comes after it.
@pytest.mark.parametrize(("point", "versions"), [("sync_tree", [0]), ("sync", [0, 1])])
def test_a_kill_leaves_the_flat_folder_or_the_whole_version(tmp_path, point, versions):
    flat = write_bundle(tmp_path / "models" / "linear")
    before = {p: p.read_bytes() for p in flat.iterdir()}
    (tmp_path / "config.json").write_text('{"provider": "cpu"}')
    done = run_python(KILLED, tmp_path, point, "models", "adopt", "linear")
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = ModelStore(tmp_path / "models")
    assert store.versions("linear") == versions
    assert {p: p.read_bytes() for p in before} == before
    run("runtime models adopt --all", tmp_path)
    assert store.versions("linear") == [0, 1]
    store.sweep()
    assert {p.name for p in store.root.iterdir()} == {"linear"}
