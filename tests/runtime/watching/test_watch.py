"""Requests of all doors are counted in one place, and the counts are told."""

import gc
import json
import re
import weakref
from dataclasses import replace

import numpy as np
import orjson
import pytest
from prometheus_client import REGISTRY

from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime.backends.opening import Opened
from runtime.http.application import create_app
from runtime.models.model import Model
from runtime.services import create_services
from runtime.telemetry.counters import VARIABLE
from runtime.watching.watch import Watch
from tests.clients import LocalClient
from tests.examples import write_bundle
from tests.forms import form, png
from tests.runtime.fakes import FakeBackend
from tests.runtime.watching.examples import images, write_watched

IMAGE, HEADERS = form(image=png([[1, 2], [3, 4]]), model="linear")
VALUES = [[[1], [2]], [[3], [4]]]
DOORS = {
    "image": ("/predict/image", IMAGE, HEADERS),
    "rows": ("/json", {"keys": [], "values": [1, 2, 3, 4], "model": "linear"}, {}),
    "inputs": (
        "/predict/json",
        {"model": "linear", "inputs": {"pixels": [VALUES]}},
        {},
    ),
    "v2": (
        "/v2/models/linear/infer",
        {
            "inputs": [
                {
                    "name": "pixels",
                    "datatype": "FP32",
                    "shape": [1, 2, 2, 1],
                    "data": [1, 2, 3, 4],
                }
            ]
        },
        {},
    ),
    "v1": ("/v1/models/linear:predict", {"instances": [VALUES]}, {}),
}


@pytest.fixture
def config(config):
    return replace(config, drift_items=1)


@pytest.fixture
def linear(config):
    return write_watched(config.model_dir / "linear" / "1")


def drift_of(client):
    return client.simulate_get("/models/linear/1").json["watching"]["drift"]


def ask(client, door):
    path, body, headers = DOORS[door]
    body = body if isinstance(body, bytes) else json.dumps(body)
    reply = client.simulate_post(path, body=body, headers=headers)
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize("door", DOORS)
def test_each_door_is_counted_once(linear, client, door):
    for _ in range(3):
        ask(client, door)
    told = drift_of(client)
    assert told["items"] == 3
    assert None not in told["psi"].values()


def test_a_request_that_is_refused_is_not_counted(linear, client):
    ask(client, "v2")
    body, headers = form(image=b"no image", model="linear")
    assert client.simulate_post("/image", body=body, headers=headers).status_code == 400
    assert drift_of(client)["items"] == 1


def test_a_look_at_the_steps_is_not_counted(linear, client):
    """A page draws the same picture again and again."""
    ask(client, "image")
    reply = client.simulate_post("/explain/image", body=IMAGE, headers=HEADERS)
    assert reply.status_code == 200
    assert drift_of(client)["items"] == 1


def test_the_metrics_have_the_index_of_each_figure(linear, client):
    def value(figure):
        labels = {"model": "linear", "version": "1", "figure": figure}
        return REGISTRY.get_sample_value("tfaas_drift_psi", labels)

    ask(client, "image")
    text = client.simulate_get("/metrics").text
    assert 'tfaas_drift_items{model="linear",version="1"} 1.0' in text
    told = drift_of(client)["psi"]
    for figure in ("predicted", "confidence", "mean", "spread", "clipped"):
        assert value(figure) == told[figure]


def test_too_few_items_have_no_index(linear, config):
    config = replace(config, drift_items=100)
    client = LocalClient(create_app(create_services(config), config))
    ask(client, "image")
    text = client.simulate_get("/metrics").text
    assert re.search(r'tfaas_drift_psi\{figure="mean",model="linear".* NaN', text)


def test_with_drift_off_nothing_is_counted(linear, config):
    config = replace(config, drift="off")
    services = create_services(config)
    client = LocalClient(create_app(services, config))
    ask(client, "image")
    assert drift_of(client) is None
    assert services.registry.get(ModelSpec("linear")).watched is None


def test_a_model_with_nothing_to_compare_is_not_noted_at_all(config, services):
    write_bundle(config.model_dir / "linear" / "1")
    assert services.registry.get(ModelSpec("linear")).watched is None


def test_a_version_that_was_never_loaded_has_no_state(linear, client):
    assert client.simulate_get("/models/linear/1").json["watching"] is None


def test_the_counts_stay_when_a_model_leaves_memory_and_comes_back(
    linear, services, client
):
    ask(client, "image")
    services.watch.add_up()
    services.registry.drop("linear")
    ask(client, "image")
    assert drift_of(client)["items"] == 2


def test_a_number_that_is_used_again_begins_anew(linear, services, client):
    ask(client, "image")
    services.publisher.delete("linear")
    write_watched(linear)
    ask(client, "image")
    assert drift_of(client)["items"] == 1


def test_a_model_leaves_memory_although_it_was_watched(config, linear):
    watch = Watch(config, lambda bundle: pytest.fail("not needed"))
    version = ModelStore(config.model_dir).version("linear", 1)

    def open_model(version):
        from bundle.folder import open_bundle

        bundle = open_bundle(version.path)
        return Model(bundle, version.number, Opened(FakeBackend()), None)

    model = watch.opening(open_model)(version)
    pixels = images(0, 1).astype(np.float32)
    model.watched.note(pixels, np.zeros((1, 3), np.float32))
    held = weakref.ref(model)
    del model
    gc.collect()
    assert held() is None


def test_processes_count_together(linear, config, tmp_path, monkeypatch):
    folder = tmp_path / "metrics"
    folder.mkdir()
    monkeypatch.setenv(VARIABLE, str(folder))
    # The metrics of this process stay its own, because they were made before.
    services = create_services(config)
    client = LocalClient(create_app(services, config))
    for _ in range(3):
        ask(client, "image")
    services.watch.add_up()
    (shown,) = folder.glob("watching-*.json")
    # Another process has the same counts.
    (folder / "watching-1-1.json").write_bytes(shown.read_bytes())
    assert drift_of(client)["items"] == 6
    (content,) = orjson.loads(shown.read_bytes()).values()
    assert sorted(content) == ["drift", "parity"]


def test_a_share_of_the_requests_is_compared(linear, config, tmp_path):
    (linear / "saved_model.pb").touch()
    config = replace(config, parity_share=100.0, drift="off")
    asked = []

    class Answering(FakeBackend):
        def run(self, inputs):
            asked.append(inputs)
            return {"scores": np.array([[1, 2, 7]], np.float32)}

    services = create_services(config)
    watch = Watch(config, lambda bundle: Answering(name="tensorflow"))
    version = services.store.version("linear", 1)
    model = services.registry.get(ModelSpec("linear"))
    watch.begin(model, version)
    client = LocalClient(create_app(services, config))
    for door in DOORS:
        ask(client, door)
    watch._parity._tasks.join()
    told = watch.describe("linear", 1)["parity"]
    assert (told["state"], told["compared"]) == ("agrees", len(DOORS))
    assert {inputs["pixels"].tobytes() for inputs in asked} == {
        np.array([1, 2, 3, 4], np.float32).tobytes()
    }
