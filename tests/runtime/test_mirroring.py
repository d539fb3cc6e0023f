"""Two services over one object store, which is a folder here, without a network."""

from __future__ import annotations

import dataclasses
import json
import threading

import pytest

from bundle.errors import ModelNotFound, StoreUnreachable
from bundle.objects.opening import open_store
from bundle.spec import ModelSpec
from runtime import preflight
from runtime.config import Config, ConfigError
from runtime.errors import Expired
from runtime.http.application import create_app
from runtime.mirroring import Looks, open_served
from runtime.preflight import check_config
from runtime.services import create_services
from runtime.telemetry.journey import Deadline
from tests.clients import HERE, LocalClient
from tests.examples import tar_of, write_bundle
from tests.runtime.hubs import PATIENCE, Hub, run_in_lane

ROW = {"keys": [], "values": [1, 2, 3, 4], "model": "linear"}


class Machine:
    """One service, with a copy of its own."""

    def __init__(self, config):
        self.config = config
        self.services = create_services(config)
        self.store = self.services.store
        self.client = LocalClient(create_app(self.services, config))

    def get(self, path, status=200):
        reply = self.client.simulate_get(path)
        assert reply.status_code == status, reply.text
        return reply.json

    def predict(self, **query):
        return self.client.simulate_post("/predict/json", json=ROW, params=query)

    def upload(self, folder):
        reply = self.client.simulate_post("/upload", body=tar_of(folder), **HERE)
        assert reply.status_code == 200, reply.text
        return reply.json["version"]


@pytest.fixture
def machine(tmp_path):
    def make(name="one", **changes):
        config = Config(
            model_dir=f"file://{tmp_path}/objects",
            object_cache_dir=str(tmp_path / name),
            provider="cpu",
            export_on_upload="off",
        )
        return Machine(dataclasses.replace(config, **changes))

    return make


@pytest.fixture
def folder(tmp_path):
    return write_bundle(tmp_path / "linear")


@pytest.fixture
def two(machine, folder):
    """Return a machine that has read a store with one version, and fetched nothing."""
    machine().upload(folder)
    other = machine("two")
    other.store.refresh()
    return other


def test_a_model_is_listed_before_it_is_fetched_and_comes_with_a_request(two):
    (listed,) = two.get("/models")
    assert (listed["name"], listed["version"], listed["loaded"]) == ("linear", 1, None)
    assert listed["img_channels"] == 1  # params.json's own key
    (version,) = two.get("/models/linear")["versions"]
    assert version["loaded"] is False
    assert [file["name"] for file in version["files"]] == [
        *("labels.txt", "model.onnx", "params.json", "parity.json"),
    ]
    assert two.get("/models/linear/1")["bytes"] == version["bytes"]
    assert two.store.away("linear") is not None
    reply = two.predict()
    assert reply.json == [1, 2, 7]
    assert reply.headers["X-Model-Version"] == "1"
    assert two.store.away("linear") is None
    assert two.get("/models")[0]["loaded"] == 1


def test_lists_of_other_protocols_fetch_nothing(two):
    index = two.client.simulate_post("/v2/repository/index")
    assert index.json == [{"name": "linear", "version": "1", "state": "READY"}] or (
        index.json[0]["name"] == "linear"
    )
    states = two.get("/v1/models/linear")["model_version_status"]
    assert [(state["version"], state["state"]) for state in states] == [
        ("1", "AVAILABLE")
    ]
    assert two.store.away("linear") is not None


def test_a_version_that_is_not_here_can_be_downloaded_labelled_and_changed(
    machine, two, folder
):
    machine().upload(folder)
    two.store.refresh()
    packed = two.client.simulate_get("/models/linear/1/bundle")
    assert packed.status_code == 200
    label = two.client.simulate_put(
        "/models/linear/labels/canary", json={"version": 2}, **HERE
    )
    assert label.status_code == 200, label.text
    assert machine().store.mirror.objects.look("linear").labels == {"canary": 2}
    assert two.predict(label="canary").headers["X-Model-Version"] == "2"


def test_a_change_on_one_machine_serves_on_the_other_at_its_next_look(
    machine, two, folder
):
    one = machine()
    one.store.refresh()
    assert two.predict().headers["X-Model-Version"] == "1"
    assert one.upload(folder) == 2
    two.store.refresh()
    assert two.predict().headers["X-Model-Version"] == "2"
    path = "/models/linear/labels/stable"
    one.client.simulate_put(path, json={"version": 1}, **HERE)
    two.store.refresh()
    assert two.predict().headers["X-Model-Version"] == "1"
    one.client.simulate_delete(path, **HERE)
    one.client.simulate_delete("/models/linear/1", **HERE)
    two.store.refresh()
    assert two.predict().headers["X-Model-Version"] == "2"
    assert two.predict(version=1).status_code == 404
    unload = one.client.simulate_post("/v2/repository/models/linear/unload", **HERE)
    assert unload.status_code == 200, unload.text
    two.store.refresh()
    assert "is unloaded" in two.predict().json["error"]
    one.client.simulate_post("/v2/repository/models/linear/load", **HERE)
    two.store.refresh()
    assert two.predict().status_code == 200
    one.client.simulate_delete("/delete/linear", **HERE)
    two.store.refresh()
    assert two.predict().status_code == 404


def test_names_and_labels_that_the_index_lacks_are_404_and_while_it_fails_503(
    two, caplog
):
    assert two.predict(label="canary").status_code == 404
    assert two.predict(version=7).status_code == 404
    two.store.mirror.index.note("the object store does not answer")
    reply = two.predict(version=7)
    assert reply.status_code == 503
    assert reply.headers["Retry-After"] == "1"
    assert reply.json["error"] == (
        "model 'linear' is not on this machine, and the object store does not answer"
    )
    # While the store fails, a crowd of such requests must not fill the log.
    (told,) = [r for r in caplog.records if r.name == "runtime.refusals"]
    assert told.levelname == "WARNING"
    assert told.exc_info is None
    assert two.predict().status_code == 200


def test_an_unloaded_model_that_is_not_here_says_so(machine, folder):
    one = machine()
    one.upload(folder)
    one.store.set_unloaded("linear", True)
    two = machine("two")
    two.store.refresh()
    assert "is unloaded" in two.predict().json["error"]


def test_readiness_tells_the_age_of_the_object_store(machine):
    one = machine(object_max_age_seconds=60)
    assert one.get("/readyz", 503)["reasons"] == ["the object store was not read yet"]
    one.store.refresh()
    assert one.get("/readyz") == {"status": "ready", "store_age_seconds": 0.0}
    index = one.store.mirror.index
    index._clock = lambda: index.state().read + 61
    assert one.get("/readyz", 503)["reasons"] == [
        "the object store was read 61 s ago for the last time"
    ]


def test_metrics_tell_the_age_and_what_is_behind(two):
    text = two.client.simulate_get("/metrics").text
    (age,) = [
        float(line.split()[1])
        for line in text.splitlines()
        if line.startswith("tfaas_object_store_age_seconds")
    ]
    assert 0 <= age < 60
    assert "tfaas_object_store_behind 0.0" in text


def test_a_model_in_memory_stays_where_others_make_room(machine, two, tmp_path):
    two.store.mirror.room.max_bytes = 1
    assert two.predict().status_code == 200
    other = write_bundle(tmp_path / "other", name="other")
    machine().upload(other)
    two.store.refresh()
    two.store.find("other")
    assert two.store.here.versions("linear") == [1]
    two.services.registry.drop("linear")
    two.store.mirror.room.make("other")
    assert two.store.here.versions("linear") == []
    assert two.predict().status_code == 200


def test_a_folder_has_no_other_store(config):
    services = create_services(config)
    assert services.store.here is services.store
    assert services.store.age() is None
    client = LocalClient(create_app(services, config))
    assert client.simulate_get("/readyz").json == {"status": "ready"}
    with pytest.raises(Exception, match="no model 'linear'"):
        services.registry.get(ModelSpec("linear"))


# -- settings -------------------------------------------------------------------------


def test_without_the_package_the_sentence_names_the_extra(machine, monkeypatch):
    config = machine().config
    monkeypatch.setattr("bundle.objects.opening.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'tfaas-onnx\[objects\]'"):
        check_config(config)


def test_a_store_that_does_not_answer_is_told_and_the_copy_served(machine, monkeypatch):
    for name, value in (
        # Nobody listens at this port, which is that of the protocol "discard".
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "somebody"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-of-this-test"),
        ("AWS_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    config = dataclasses.replace(machine().config, model_dir="s3://bucket/models")
    (told,) = check_config(config)
    assert told == (
        "'modelDir' is s3://bucket/models: the object store does not answer; the models"
        " on this machine are served"
    )
    store = open_served(config)
    with pytest.raises(StoreUnreachable) as caught:
        store.find("linear")
    assert "bucket" not in str(caught.value)


def test_numbers_that_are_seldom_meant_are_told(machine):
    config = machine().config
    told = check_config(
        dataclasses.replace(
            config, object_cache_bytes=5, object_max_age_seconds=3, cache_bytes=1 << 34
        )
    )
    assert len(told) == 2
    assert "'objectCacheBytes' (5) is less than" in told[0]
    assert "'objectMaxAgeSeconds' (3) is no more than two looks" in told[1]


def test_a_copy_that_cannot_be_made_is_refused(machine, tmp_path):
    (tmp_path / "file").write_text("")
    config = dataclasses.replace(
        machine().config, object_cache_dir=str(tmp_path / "file")
    )
    with pytest.raises(ConfigError, match="'objectCacheDir': .* cannot be made"):
        check_config(config)


def test_names_are_compared_with_the_store_once_it_was_read(machine, two):
    config = dataclasses.replace(two.config, preload=("linear", "unknown"))
    (told,) = preflight.check_config(config)
    assert told == "'preload' names 'unknown', which the store does not have (yet)"


def test_the_trainers_store_is_read_and_written_by_the_url(machine, two, tmp_path):
    url = two.config.model_dir
    store = open_store(url, folder=tmp_path / "third")
    assert store.install(lambda to: write_bundle(to) and None).number == 2
    two.store.refresh()
    assert two.predict().headers["X-Model-Version"] == "2"
    assert json.dumps(two.get("/models/linear")["labels"]) == "{}"


# -- the first request for a model -----------------------------------------------------


def test_the_fetch_keeps_no_other_request_waiting_and_ends_with_the_deadline(
    two, monkeypatch
):
    hub, caught, go_on = Hub(), [], threading.Event()
    real = two.store.find

    def slow(*spec):
        assert go_on.wait(PATIENCE)
        return real(*spec)

    monkeypatch.setattr(two.store, "find", slow)

    def run():
        try:
            two.services.registry.get(ModelSpec("linear"))
        except Expired as ex:
            caught.append(ex)

    deadline = Deadline()
    deadline.at = 0.0  # it is over as soon as somebody looks
    hub.begin(run, deadline)
    assert hub.offered == ["linear"]
    ((_, expire),) = hub.timers
    expire()
    assert len(caught) == 1
    go_on.set()
    hub.pool.shutdown()


def test_an_invented_name_takes_no_thread(two):
    def ask():
        with pytest.raises(ModelNotFound):
            two.services.registry.get(ModelSpec("invented"))

    assert run_in_lane(ask) == (None, [])


def test_looks_become_rarer_while_the_store_fails_and_the_log_tells_it_once(
    machine, monkeypatch, caplog
):
    store = machine().store
    asked = []
    real = store.mirror.refresh

    def refresh(*, whole):
        asked.append(whole)
        real(whole=whole)

    monkeypatch.setattr(store.mirror, "refresh", refresh)
    monkeypatch.setattr("random.uniform", lambda low, high: 1.0)
    looks = Looks(store, 2.0)
    assert [looks.look(), looks.look()] == [2.0, 2.0]
    assert asked == [True, False]
    with monkeypatch.context() as patch:
        patch.setattr(store.mirror, "refresh", _unreachable)
        waits = [looks.look() for _ in range(6)]
    assert waits == [4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert looks.look() == 2.0
    told = [r.message for r in caplog.records if r.name == "runtime.mirroring"]
    assert told == [
        "the object store does not answer; the models on this machine serve on",
        "the object store answers again",
    ]


def test_a_bug_of_one_look_ends_no_other(machine, monkeypatch, caplog):
    store = machine().store
    looks = Looks(store, 2.0)
    with monkeypatch.context() as patch:
        patch.setattr(store.mirror, "refresh", lambda *, whole: 1 / 0)
        assert looks.look() <= 2.5
    assert "cannot be mirrored" in caplog.text
    looks.look()
    assert store.age() < 60


def test_a_store_that_can_only_be_read_is_told_once(machine, monkeypatch, caplog):
    store = machine().store
    monkeypatch.setattr(store.mirror.objects, "check_writable", _unreachable)
    looks = Looks(store, 2.0)
    looks.look()
    looks.look()
    assert caplog.text.count("uploads, labels and deletes will fail") == 1


def _unreachable(**_):
    raise StoreUnreachable("the object store does not answer")
