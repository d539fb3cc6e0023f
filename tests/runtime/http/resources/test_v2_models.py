"""Models and the server, as the Open Inference Protocol v2 asks about them."""

import json

import pytest

from bundle import __version__
from bundle.errors import ModelNotFound
from bundle.spec import ModelSpec
from runtime.models.preload import Preloader
from runtime.process.drain import DRAINING
from runtime.services import create_services
from tests.examples import tar_of, write_bundle
from tests.runtime.graphs import texts_and_flags

FEATURES = {"name": "pixels", "shape": [1, 2, 2, 1], "datatype": "FP32"}
ONE = json.dumps({"inputs": [{**FEATURES, "data": [1, 2, 3, 4]}]})


@pytest.fixture
def get(client, publish):
    publish("linear", channels=1, labels=("zero", "one", "two"))

    def get(path):
        return client.simulate_get(f"/v2{path}")

    return get


def post(client, path, content=None):
    body = b"" if content is None else json.dumps(content).encode()
    return client.simulate_post(f"/v2{path}", body=body)


def test_the_server(get):
    described = get("").json
    assert described["name"] == "tfaas-onnx"
    assert described["version"] == __version__
    assert {"binary_tensor_data", "classification", "model_repository"} <= set(
        described["extensions"]
    )


def test_health(get, monkeypatch):
    assert get("/health/live").json == {"live": True}
    assert get("/health/ready").json == {"ready": True}
    monkeypatch.setattr(DRAINING, "is_set", lambda: True)
    ready = get("/health/ready")
    assert (ready.status_code, ready.json) == (503, {"ready": False})


def test_a_model(get, publish):
    publish("linear", channels=1, labels=("zero", "one", "two"))
    described = {
        "name": "linear",
        "versions": ["1", "2"],
        "platform": "onnx_onnxv1",
        "inputs": [{**FEATURES, "shape": [-1, 2, 2, 1]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}],
    }
    assert get("/models/linear").json == described
    one = get("/models/linear/versions/1").json
    assert one == {**described, "versions": ["1"]}


@pytest.mark.parametrize("tail", ["", "/ready", "/config", "/stats"])
def test_a_model_that_is_not_there(get, tail):
    for path in ("other", "linear/versions/9", "linear/versions/x"):
        reply = get(f"/models/{path}{tail}")
        assert reply.status_code == 404
        assert reply.json.keys() == {"error"}


def test_a_config_leaves_the_batch_axis_out(get, publish, services):
    config = get("/models/linear/config").json
    assert config["platform"] == "onnxruntime_onnx"
    assert config["max_batch_size"] > 1
    assert config["input"] == [
        {"name": "pixels", "data_type": "TYPE_FP32", "dims": [2, 2, 1]}
    ]
    publish("texts", texts_and_flags())
    config = get("/models/texts/config").json
    assert config["input"][0]["data_type"] == "TYPE_STRING"


def test_a_model_is_ready_before_its_first_request(get, publish):
    assert get("/models/linear/ready").json == {"name": "linear", "ready": True}
    assert get("/models/linear/versions/1/ready").status_code == 200


def test_a_broken_model_is_not_ready(client, get, publish):
    publish("broken", b"no ONNX")
    assert get("/models/broken/ready").status_code == 200
    assert post(client, "/models/broken/infer", json.loads(ONE)).status_code == 500
    ready = get("/models/broken/ready")
    assert (ready.status_code, ready.json["ready"]) == (503, False)
    entries = post(client, "/repository/index", {"ready": True}).json
    assert [entry["name"] for entry in entries] == ["linear"]


def test_the_counts_of_a_model(client, get, publish):
    publish("tallied", labels=("zero", "one", "two"))
    for _ in range(3):
        assert post(client, "/models/tallied/infer", json.loads(ONE)).status_code == 200
    refused = post(client, "/models/tallied/infer", {"inputs": [{**FEATURES}]})
    assert refused.status_code == 400
    (stats,) = get("/models/tallied/stats").json["model_stats"]
    assert (stats["name"], stats["version"]) == ("tallied", "1")
    assert stats["inference_count"] == stats["execution_count"] == 3
    counts = stats["inference_stats"]
    assert counts["success"]["count"] == 3
    assert counts["success"]["ns"] > counts["compute_infer"]["ns"] > 0
    both = get("/models/stats").json["model_stats"]
    assert [stats["name"] for stats in both] == ["linear", "tallied"]


def test_the_index_has_all_versions(client, get, publish):
    publish("linear", channels=1, labels=("zero", "one", "two"))
    ready = {"name": "linear", "state": "READY", "reason": ""}
    versions = [{**ready, "version": "1"}, {**ready, "version": "2"}]
    for content in (None, {}, {"ready": True}, {"ready": False}):
        assert post(client, "/repository/index", content).json == versions
    assert post(client, "/repository/index", {"ready": "yes"}).status_code == 400


def test_the_repository_may_be_named_where_triton_takes_a_name(client, get, services):
    """Triton's server takes any name for the index, and none for the other two."""
    for name in ("ours", "models"):
        index = post(client, f"/repository/{name}/index", {"ready": True})
        assert [entry["name"] for entry in index.json] == ["linear"]
    for change in ("load", "unload"):
        refused = post(client, f"/repository/ours/models/linear/{change}")
        assert refused.status_code == 501
        assert refused.json["error"].startswith(
            "'repository_name' specification is not supported"
        )
        stranger = client.simulate_post(
            f"/v2/repository/ours/models/linear/{change}", remote_addr="192.0.2.1"
        )
        assert stranger.status_code == 403
    assert services.registry.loaded() == []
    assert get("/models/linear/ready").status_code == 200


@pytest.mark.parametrize("version", ["1", "01", "0000000000000000000001"])
def test_zeros_before_a_version_mean_nothing(client, get, version):
    path = f"/models/linear/versions/{version}"
    assert get(path).json["versions"] == ["1"]
    reply = post(client, f"{path}/infer", json.loads(ONE))
    assert (reply.status_code, reply.json["model_version"]) == (200, "1")


@pytest.mark.parametrize("version", ["0", "00", "-1", "1" * 19, "x"])
def test_other_versions_are_not_found(client, get, version):
    path = f"/models/linear/versions/{version}"
    assert get(path).status_code == 404
    assert post(client, f"{path}/infer", json.loads(ONE)).status_code == 404


def test_an_unloaded_model_answers_nothing_until_it_is_loaded(client, get, services):
    path = "/repository/models/linear"
    assert post(client, "/models/linear/infer", json.loads(ONE)).status_code == 200
    done = post(client, f"{path}/unload", {"parameters": {"unload_dependents": True}})
    assert (done.status_code, done.content) == (200, b"")
    assert services.registry.loaded() == []
    refused = post(client, "/models/linear/infer", json.loads(ONE))
    assert refused.status_code == 404
    assert "POST /v2/repository/models/linear/load" in refused.json["error"]
    # The other doors have the same models.
    rows = {"model": "linear", "values": [1, 2, 3, 4]}
    body = json.dumps(rows).encode()
    assert client.simulate_post("/json", body=body).status_code == 404
    assert get("/models/linear/ready").status_code == 503
    (entry,) = post(client, "/repository/index").json
    assert entry["state"] == "UNAVAILABLE"
    assert "unloaded" in entry["reason"]
    assert post(client, f"{path}/load", {}).status_code == 200
    assert services.registry.loaded() == [("linear", 1)]
    assert post(client, "/models/linear/infer", json.loads(ONE)).status_code == 200


def test_an_upload_of_an_unloaded_model_says_that_nothing_serves(
    client, get, services, tmp_path
):
    post(client, "/repository/models/linear/unload")
    body = tar_of(write_bundle(tmp_path / "linear"))
    published = client.simulate_post("/upload", body=body).json
    assert (published["version"], published["serves"]) == (2, None)
    assert services.registry.loaded() == []
    (listed,) = client.simulate_get("/models").json
    assert "is unloaded" in listed["error"]
    assert "is unloaded" in client.simulate_get("/models/linear/2").json["error"]
    label = "/models/linear/labels/stable"
    assert client.simulate_put(label, json={"version": 1}).status_code == 200
    assert post(client, "/models/linear/infer", json.loads(ONE)).status_code == 404
    post(client, "/repository/models/linear/load")
    assert services.registry.loaded() == [("linear", 1)]
    (listed,) = client.simulate_get("/models").json
    assert (listed["serves"], listed["error"]) == (1, None)


def test_all_processes_of_a_store_agree(client, get, services, config):
    other = create_services(config)
    spec = ModelSpec("linear")
    assert other.registry.get(spec).version == 1
    post(client, "/repository/models/linear/unload")
    with pytest.raises(ModelNotFound, match="is unloaded"):
        other.registry.get(spec)
    assert other.registry.loaded() == []
    other.repository.load("linear")
    assert services.registry.get(spec).version == 1


def test_only_a_writer_changes_what_is_loaded(client, get):
    path = "/v2/repository/models/linear/unload"
    assert client.simulate_post(path, remote_addr="192.0.2.1").status_code == 403
    index = client.simulate_post("/v2/repository/index", remote_addr="192.0.2.1")
    assert index.json[0]["state"] == "READY"


@pytest.mark.parametrize("change", ["load", "unload"])
@pytest.mark.parametrize(
    ("name", "status"), [("other", 404), ("%20", 400), ("..", 400), ("a%2Fb", 404)]
)
def test_a_model_that_is_not_there_is_not_changed(client, get, change, name, status):
    reply = post(client, f"/repository/models/{name}/{change}")
    assert reply.status_code == status
    assert reply.json.keys() == {"error"}


@pytest.mark.parametrize("name", ["config", "file:1/model.onnx"])
def test_a_load_brings_no_files(client, get, services, name):
    parameters = {"parameters": {name: "AAAA"}}
    reply = post(client, "/repository/models/linear/load", parameters)
    assert reply.status_code == 501
    assert "POST /upload" in reply.json["error"]
    assert services.registry.loaded() == []


def test_a_broken_model_cannot_be_loaded(client, get, publish):
    publish("broken", b"no ONNX")
    reply = post(client, "/repository/models/broken/load")
    assert reply.status_code == 422
    assert "cannot be loaded" in reply.json["error"]


def test_parameters_are_an_object(client, get):
    path = "/repository/models/linear/unload"
    assert post(client, path, {"parameters": []}).status_code == 400


def test_a_deleted_model_is_not_unloaded_when_it_comes_again(client, get, publish):
    post(client, "/repository/models/linear/unload")
    assert client.simulate_delete("/models/linear/1").status_code == 200
    publish("linear", channels=1, labels=("zero", "one", "two"))
    assert post(client, "/models/linear/infer", json.loads(ONE)).status_code == 200


def test_a_service_that_starts_does_not_wait_for_an_unloaded_model(services, publish):
    publish("linear")
    services.repository.unload("linear")
    preloader = Preloader(services.registry, services.store, ["linear"])
    preloader._load_all()
    assert preloader.missing() == []


def test_a_model_whose_newest_version_is_broken_is_ready_and_does_not_load(
    client, get, publish
):
    publish("linear", b"no ONNX")
    # Version 1 stands in for version 2.
    answer = post(client, "/models/linear/infer", json.loads(ONE))
    assert (answer.status_code, answer.json["model_version"]) == (200, "1")
    assert get("/models/linear/ready").json == {"name": "linear", "ready": True}
    assert get("/models/linear/versions/2/ready").status_code == 503
    reply = post(client, "/repository/models/linear/load")
    assert reply.status_code == 422
    assert "version 1 stands in for it" in reply.json["error"]


def test_a_model_that_is_gone_hides_no_counts_of_others(client, get, services):
    names = services.repository.names
    services.repository.names = lambda: ["gone", *names()]
    (counts,) = get("/models/stats").json["model_stats"]
    assert counts["name"] == "linear"
    assert get("/models/gone/stats").status_code == 404
