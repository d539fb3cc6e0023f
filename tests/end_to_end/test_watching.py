"""A running service tells whether its models are still right."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import time

import numpy as np
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, log_with, serving
from tests.examples import WEIGHTS, serialize, write_parity
from tests.frozen import frozen, rows, write_frozen_bundle
from tests.runtime.watching.examples import images, write_watched

pytestmark = pytest.mark.tensorflow

TENSORFLOW = "tensorflow/cpu"
ONNX = "onnxruntime/CPUExecutionProvider"


def rows_onnx(weights):
    """Return the ONNX of the graph ``tests.frozen.rows``, with these weights."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["scores"])],
        "rows",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    return serialize(graph)


@pytest.fixture(scope="module")
def graph():
    return frozen(rows)


@pytest.fixture
def publish(tmp_path, graph):
    """Return a function that puts a frozen graph with an ONNX into the store."""

    def publish(weights, **settings):
        (tmp_path / "config.json").write_text(json.dumps(settings))
        folder = write_frozen_bundle(tmp_path / "models" / "frozen" / "1", graph)
        content = rows_onnx(weights)
        (folder / "model.onnx").write_bytes(content)
        # The file says that it was proved, as if the proof had not drawn such a row.
        write_parity(folder, sha256=hashlib.sha256(content).hexdigest())
        return tmp_path

    return publish


def ask(url):
    """Answer one row on a connection of its own; return the answer and the engine."""
    row = {"keys": [], "values": [1, 2, 3, 4], "model": "frozen"}
    reply = CLIENT.post(f"{url}/json", json=row)
    assert reply.status_code == 200, reply.text
    return reply.json(), reply.headers["X-Model-Backend"]


def watching(url, name="frozen"):
    """Return a version's state, from a process that has it in memory."""
    return CLIENT.get(f"{url}/models/{name}/1").json()["watching"]


def values(url, name, **labels):
    families = text_string_to_metric_families(CLIENT.get(f"{url}/metrics").text)
    return [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def until(is_so, act=lambda: None):
    """Act until something is so."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        act()


def test_a_wrong_onnx_is_caught_and_gives_way_in_all_processes(publish):
    wrong = WEIGHTS.copy()
    wrong[0, 0] = 1.01
    folder = publish(
        wrong, workers=2, parityShare=100, onParityFailure="fallback", provider="cpu"
    )
    seen = []
    with serving(RUNTIME, folder) as server:
        # Each worker takes some of the connections; twenty in a row meet both.
        until(
            lambda: {engine for _, engine in seen[-20:]} == {TENSORFLOW},
            lambda: seen.append(ask(server.url)),
        )
        assert seen[0] == ([pytest.approx(1.01), 2, 7], ONNX)
        for answer, engine in seen:
            wanted = {ONNX: 1.01, TENSORFLOW: 1.0}[engine]
            assert answer == [pytest.approx(wanted), 2, 7]
        log = log_with(folder, "TensorFlow answers from now on")
        assert "frozen version 1: live parity: " in log
        assert "largest difference 0.01" in log
        until(lambda: values(server.url, "tfaas_live_parity_total", agreed="no"))
        labels = {"model": "frozen", "version": "1", "reason": "live_parity"}
        assert sum(values(server.url, "tfaas_fallbacks_total", **labels)) == 2
        told = CLIENT.get(f"{server.url}/models/frozen/1").json()
        assert told["backend"] == "tensorflow"
        assert told["fallback_reason"].startswith("live parity: ")
        assert told["watching"]["parity"]["state"] == "differs"


def test_with_warn_onnx_goes_on_and_the_log_has_one_warning(publish):
    folder = publish(WEIGHTS * 2, workers=1, parityShare=100, provider="cpu")
    with serving(RUNTIME, folder) as server:
        ask(server.url)
        until(
            lambda: watching(server.url)["parity"]["differing"] > 2,
            lambda: ask(server.url),
        )
        assert ask(server.url) == ([2, 4, 14], ONNX)
    log = log_with(folder, "ONNX Runtime still answers")
    assert log.count("live parity") == 1


def reference_of(server):
    """Return the one process of TensorFlow; it has threads, and its guard has none."""
    for process in psutil.Process(server.process.pid).children(recursive=True):
        try:
            is_one = "runtime.process.forkserver" in process.cmdline()
            if is_one and process.num_threads() > 1:
                return process
        except psutil.Error:  # it has ended
            continue
    return None


def test_the_death_of_tensorflow_costs_no_request(publish):
    folder = publish(WEIGHTS, workers=1, parityShare=100, provider="cpu")
    with serving(RUNTIME, folder) as server:
        right = ([1, 2, 7], ONNX)

        def compared():
            return watching(server.url)["parity"]["compared"]

        def go_on():
            assert ask(server.url) == right

        go_on()
        until(compared, go_on)
        first = reference_of(server)
        first.kill()
        first.wait(PATIENCE)
        before = compared()
        until(lambda: compared() > before, go_on)
        assert reference_of(server).pid != first.pid
        told = watching(server.url)["parity"]
        assert (told["state"], told["differing"]) == ("agrees", 0)
        assert values(server.url, "tfaas_tensorflow_restarts_total") == [1]


def test_the_inputs_of_all_processes_are_compared_with_the_test_set(tmp_path):
    write_watched(tmp_path / "models" / "linear" / "1")
    settings = {"workers": 3, "driftItems": 200, "preload": ["linear"]}
    (tmp_path / "config.json").write_text(json.dumps(settings))

    def ask_some(pixels):
        body = {"model": "linear", "inputs": {"pixels": pixels.tolist()}}
        reply = CLIENT.post(f"{server.url}/predict/json", json=body)
        assert reply.status_code == 200, reply.text

    def fill(change):
        """Ask until so many are counted, and all processes tell the same."""
        seeds = itertools.count(1)

        def drift():
            return watching(server.url, "linear")["drift"]

        until(lambda: CLIENT.get(f"{server.url}/readyz").status_code == 200)
        until(
            lambda: drift()["items"] >= 200,
            lambda: ask_some(change(images(next(seeds), 10))),
        )
        # The last counts come to all processes within a second.
        until(lambda: len({json.dumps(drift()) for _ in range(12)}) == 1)
        return drift()

    with serving(RUNTIME, tmp_path) as server:
        told = fill(lambda pixels: pixels)
        assert told["state"] == "same"
    shutil.rmtree(tmp_path / "models")
    write_watched(tmp_path / "models" / "linear" / "1")
    with serving(RUNTIME, tmp_path) as server:
        told = fill(lambda pixels: pixels // 3)
        assert told["state"] == "drifted"
        labels = {"model": "linear", "version": "1", "figure": "mean"}
        assert values(server.url, "tfaas_drift_psi", **labels) == [told["psi"]["mean"]]
        items = values(server.url, "tfaas_drift_items", model="linear")
        assert items == [told["items"]]
        assert told["psi"]["mean"] > 0.25
