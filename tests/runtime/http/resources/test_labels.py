"""The routes under /models/{name}/labels move labels."""

import pytest

from tests.examples import tar_of, write_bundle
from tests.replies import error_of

PATH = "/models/linear/labels/canary"


@pytest.fixture
def published(client, config, tmp_path):
    archive = tar_of(write_bundle(tmp_path / "upload"))
    for _ in range(2):
        client.simulate_post("/upload", body=archive)
    return config.model_dir / "linear"


def labels(client):
    return client.simulate_get("/models/linear/labels").json


@pytest.mark.parametrize("how", ["json", "query", "both"])
def test_a_label_is_set_and_moved(client, published, how):
    for number in (1, 2):
        query = f"?version={number}" if how != "json" else ""
        content = {"json": {"version": number}} if how != "query" else {}
        reply = client.simulate_put(PATH + query, **content)
        assert reply.status_code == 200
        assert reply.json == {"name": "linear", "label": "canary", "version": number}
        assert labels(client) == {"canary": number}


def test_the_stable_label_decides_who_serves(client, published):
    assert client.simulate_get("/models/linear").json["serves"] == 2
    client.simulate_put("/models/linear/labels/stable", json={"version": 1})
    assert client.simulate_get("/models/linear").json["serves"] == 1
    (listed,) = client.simulate_get("/models").json
    assert listed["serves"] == 1
    assert listed["version_labels"] == {"stable": 1}
    assert listed["labels"] == "labels.txt", "TFaaS's key: the file"


def test_a_label_is_deleted_and_its_version_stays(client, published):
    client.simulate_put(PATH, json={"version": 1})
    reply = client.simulate_delete(PATH)
    assert reply.json == {"name": "linear", "label": "canary", "version": 1}
    assert labels(client) == {}
    assert client.simulate_get("/models/linear/1").status_code == 200


@pytest.mark.parametrize(
    ("query", "content", "status", "sentence"),
    [
        ("", {"version": 3}, 404, "no version 3"),
        ("?version=3", None, 404, "no version 3"),
        ("?version=1", {"version": 2}, 400, "?version= is 1 and the body's"),
        ("?version=x", None, 400, "integer"),
        ("", {}, 400, '{"version": N}'),
        ("", {"version": 1, "x": 1}, 400, "no other key"),
        ("", {"version": "1"}, 400, "must be a whole number"),
        ("", {"version": True}, 400, "must be a whole number"),
        ("", {"version": 10**18}, 400, "must be 0 to"),
        ("", [1], 400, "JSON object"),
        ("", None, 400, ""),
    ],
)
def test_a_label_that_cannot_be_set_is_not(
    client, published, query, content, status, sentence
):
    body = {} if content is None else {"json": content}
    assert sentence in error_of(client.simulate_put(PATH + query, **body), status)
    assert labels(client) == {}


@pytest.mark.parametrize("label", ["1", ".x", "-x", "a b"])
def test_what_is_no_name_of_a_label_is_refused(client, published, label):
    reply = client.simulate_put(f"/models/linear/labels/{label}?version=1")
    assert "no name for a label" in error_of(reply, 400)


def test_a_version_that_does_not_load_gets_no_label(client, published):
    client.simulate_put("/models/linear/labels/stable", json={"version": 2})
    (published / "1" / "model.onnx").write_bytes(b"junk")
    reply = client.simulate_put("/models/linear/labels/stable", json={"version": 1})
    sentence = error_of(reply, 422)
    assert "version 1 of 'linear' cannot be loaded, so no label" in sentence
    assert labels(client) == {"stable": 2}


@pytest.mark.parametrize("name", ["nosuch", ".."])
def test_a_model_that_is_not_there_has_no_labels(client, published, name):
    path = f"/models/{name}/labels"
    error_of(client.simulate_get(path), 404)
    error_of(client.simulate_put(f"{path}/canary", json={"version": 1}), 404)
    error_of(client.simulate_delete(f"{path}/canary"), 404)


def test_a_label_that_is_not_there_cannot_be_deleted(client, published):
    assert "no label 'canary'" in error_of(client.simulate_delete(PATH), 404)
