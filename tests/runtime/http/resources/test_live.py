"""GET /live tells a page the load, in few bytes."""

import os

import falcon
import pytest

from bundle.store import ModelStore
from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.resources.live import MAX_BYTES, LiveLoad
from runtime.services import create_services
from runtime.telemetry.load import Load, ModelLoad
from runtime.telemetry.metrics import SECONDS
from tests.clients import LocalClient
from tests.examples import write_bundle
from tests.forms import form, png


class Reader:
    """A reader that gives the load it holds."""

    def __init__(self):
        self.load = Load(at=1.0)
        self.read_last = None

    @property
    def is_due(self):
        return self.load is not self.read_last

    def read(self):
        self.read_last = self.load
        return self.load


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.fixture
def client(store, reader):
    app = falcon.App()
    app.add_route("/live", LiveLoad(store, reader))
    return LocalClient(app)


def used(requests):
    return ModelLoad(requests=requests, buckets=[requests] + [0] * len(SECONDS))


def test_it_tells_all_models_together_and_the_most_used_first(client, reader):
    reader.load = Load(1.5, {"a": used(1), "b": used(3)}, in_progress=3, loaded=2)
    reply = client.simulate_get("/live").json
    assert [model["name"] for model in reply["models"]] == ["b", "a"]
    assert reply["all"]["requests"] == 4
    assert reply["all"]["buckets"][:2] == [4, 0]
    assert (reply["at"], reply["loaded"]) == (1.5, 2)
    # The request that asks is no load.
    assert reply["in_progress"] == 2


def test_it_stays_small_and_has_the_model_that_is_asked_for(client, reader):
    models = {f"{'m' * 120}-{place}": used(10**9 + place) for place in range(100)}
    reader.load = Load(1.0, {**models, "rare": used(1)})
    reply = client.simulate_get("/live")
    assert len(reply.content) <= MAX_BYTES
    assert "rare" not in {model["name"] for model in reply.json["models"]}
    assert len(reply.json["models"]) > 5
    reply = client.simulate_get("/live", params={"model": "rare"})
    assert len(reply.content) <= MAX_BYTES
    assert reply.json["models"][0]["name"] == "rare"
    assert (
        reply.json["all"]["requests"]
        == sum(one.requests for one in models.values()) + 1
    )


def test_a_reading_is_written_once(client, reader):
    reader.load = Load(1.0, {"a": used(1)})
    first = client.simulate_get("/live").content
    reader.load.models["a"].requests = 5  # nobody looks at the same reading again
    assert client.simulate_get("/live").content == first
    reader.load = Load(2.0, {"a": used(5)})
    assert client.simulate_get("/live").json["all"]["requests"] == 5


def test_a_name_that_no_model_has_is_not_kept(client, reader):
    reader.load = Load(1.0, {"a": used(1)})
    assert (
        client.simulate_get("/live?model=x").json == client.simulate_get("/live").json
    )


def test_the_state_changes_with_the_models(client, reader, store):
    states = [client.simulate_get("/live").json["state"]]

    def changed():
        reader.load = Load(reader.load.at + 1, events=reader.load.events)
        states.append(client.simulate_get("/live").json["state"])
        return states[-1] != states[-2]

    assert not changed()
    store.install(write_bundle)
    assert changed()
    assert not changed()
    store.set_label("linear", "stable", 1)
    os.utime(store.root / "linear", ns=(1, 1))  # a clock may be too coarse
    assert changed()
    reader.load.events = 1  # a model was loaded
    assert changed()
    store.delete("linear")
    assert changed()


def test_the_service_counts_its_own_requests(tmp_path):
    config = Config(model_dir=tmp_path / "models", provider="cpu")
    services = create_services(config)
    services.store.install(lambda folder: write_bundle(folder, name="counted"))
    client = LocalClient(create_app(services, config))
    body, headers = form(image=png([[1, 2], [3, 4]]), model="counted")
    assert (
        client.simulate_post("/predict/image", body=body, headers=headers).status_code
        == 200
    )
    reply = client.simulate_get("/live", params={"model": "counted"})
    assert reply.headers["Cache-Control"] == "no-store"
    (model,) = [one for one in reply.json["models"] if one["name"] == "counted"]
    assert (model["requests"], model["failed"], sum(model["buckets"])) == (1, 0, 1)
