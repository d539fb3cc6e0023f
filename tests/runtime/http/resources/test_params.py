"""GET /params reads a model's params, and POST /params changes them."""

import json
from contextlib import contextmanager

import pytest

import runtime.publishing.revision
from bundle.manifest import verify_manifest, write_manifest
from tests.bundle.making import read_files
from tests.examples import tar_of, write_bundle
from tests.forms import form, png
from tests.replies import error_of

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture
def bundle(tmp_path):
    folder = write_bundle(tmp_path / "upload", params={"author": "me", "op": "x"})
    (folder / "report").mkdir()
    (folder / "report" / "curve.svg").write_text("<svg/>")
    return folder


@pytest.fixture
def published(client, config, bundle):
    client.simulate_post("/upload", body=tar_of(bundle))
    return config.model_dir / "linear"


def post(client, **content):
    return client.simulate_post("/params", json=content)


def params_of(folder):
    return json.loads((folder / "params.json").read_bytes())


# -- reading --------------------------------------------------------------------------


def test_params_are_read_by_version_and_label(client, published):
    post(client, name="linear", description="second")
    client.simulate_put("/models/linear/labels/canary", json={"version": 2})
    for query, description in [
        ("", "second"),
        ("?version=1", None),
        ("?version=2", "second"),
        ("?label=canary", "second"),
    ]:
        reply = client.simulate_get(f"/params/linear{query}")
        assert reply.json.get("description") == description


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("?version=3", 404, "no version 3"),
        ("?label=canary", 404, "no label 'canary'"),
        ("?version=x", 400, "whole number"),
        ("?version=-1", 400, "version"),
        ("?version=" + "9" * 300, 400, "version"),
        ("?version=1&label=canary", 400, "'version' and 'label' are both there"),
    ],
)
def test_params_of_no_version_are_not_found(client, published, query, status, sentence):
    assert sentence in error_of(client.simulate_get(f"/params/linear{query}"), status)


def test_params_of_no_model_are_told_how_to_ask(client, published):
    """TFaaS answers with the params of the last uploaded model, whoever uploaded it."""
    assert "GET /params/NAME" in error_of(client.simulate_get("/params"), 400)


# -- changing -------------------------------------------------------------------------


def test_changed_params_are_a_new_version(client, published):
    reply = post(client, name="linear", description="digits", options=["a"])
    assert reply.json == {
        "name": "linear",
        "version": 2,
        "backend": CPU,
        "fallback_reason": "",
        "warm_up": "",
        "serves": 2,
    }
    first, second = read_files(published / "1"), read_files(published / "2")
    old, new = (
        json.loads(first.pop("params.json")),
        json.loads(second.pop("params.json")),
    )
    assert first == second
    assert new == {**old, "description": "digits", "options": ["a"]}
    assert old["author"] == "me"


def test_a_request_is_answered_by_the_changed_params(client, published):
    post(client, name="linear", preprocess={"invert": True})
    body, headers = form(image=png([[255, 254], [253, 252]]), model="linear")
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    assert reply.json == [0, 1, 5]


def test_null_takes_a_key_away(client, published):
    post(client, name="linear", op=None, description=None)
    assert "op" not in params_of(published / "2")
    assert params_of(published / "2")["author"] == "me"


def test_another_version_may_be_the_base(client, published):
    post(client, name="linear", description="second")
    post(client, name="linear", version=1, output_name="scores")
    assert "description" not in params_of(published / "3")
    assert params_of(published / "3")["output_name"] == "scores"


def test_the_served_version_is_the_base(client, published):
    post(client, name="linear", description="second")
    client.simulate_put("/models/linear/labels/stable", json={"version": 1})
    reply = post(client, name="linear", output_name="scores")
    assert (reply.json["version"], reply.json["serves"]) == (3, 1)
    assert "description" not in params_of(published / "3")


def test_labels_are_written_anew(client, published):
    post(client, name="linear", labels=["null", "", "zwei é"])
    assert (published / "2" / "labels.txt").read_bytes() == "null\n\nzwei é\n".encode()
    (model,) = client.simulate_get("/models").json
    assert model["classes"] == ["null", "", "zwei é"]
    assert (published / "1" / "labels.txt").read_bytes() == b"zero\none\ntwo\n"


def test_labels_of_a_model_that_had_none_are_labels_txt(client, tmp_path, config):
    folder = write_bundle(tmp_path / "bare", params={"labels": ""})
    (folder / "labels.txt").unlink()
    client.simulate_post("/upload", body=tar_of(folder))
    post(client, name="linear", labels=["a", "b", "c"])
    published = config.model_dir / "linear" / "2"
    assert params_of(published)["labels"] == "labels.txt"
    assert (published / "labels.txt").read_bytes() == b"a\nb\nc\n"


def test_labels_may_be_another_file_of_the_bundle(client, bundle, config):
    (bundle / "german.txt").write_text("null\neins\nzwei\n")
    client.simulate_post("/upload", body=tar_of(bundle))
    post(client, name="linear", labels="german.txt")
    (model,) = client.simulate_get("/models").json
    assert model["classes"] == ["null", "eins", "zwei"]


def test_the_manifest_is_made_anew(client, bundle, config):
    write_manifest(bundle)
    client.simulate_post("/upload", body=tar_of(bundle))
    post(client, name="linear", labels=["a", "b", "c"])
    published = config.model_dir / "linear" / "2"
    verify_manifest(published)
    listed = json.loads((published / "manifest.json").read_bytes())["sha256"]
    assert set(listed) == {"labels.txt", "params.json", "report/curve.svg"}


def test_a_model_stays_proved(client, published):
    """The proof covers model.onnx, but not the params."""
    post(client, name="linear", description="second")
    assert client.simulate_get("/models/linear/2").json["proved"] is True


def test_a_flat_bundle_may_be_the_base(client, config):
    """Somebody put the bundle there by hand, and its folder gives the name."""
    write_bundle(config.model_dir / "flat", name="linear")
    reply = post(client, name="flat", description="second")
    assert (reply.json["name"], reply.json["version"]) == ("flat", 1)
    assert set(read_files(config.model_dir / "flat" / "1")) == {
        "params.json",
        "labels.txt",
        "model.onnx",
        "parity.json",
    }
    # The same works again when a version stands beside it.
    reply = post(client, name="flat", version=0, description="third")
    assert (reply.json["name"], reply.json["version"]) == ("flat", 2)


# -- what is refused, and changes nothing ---------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ({}, 400, "nothing to change"),
        ({"model": "x.pb"}, 400, "'model' is no key that can be changed"),
        ({"new_name": "x"}, 400, "'new_name' is no key"),
        ({"timestamp": "x"}, 400, "there is nothing to change"),
        ({"labels": ["a", "b"]}, 422, "labels.txt names 2 classes"),
        ({"labels": []}, 400, "null"),
        ({"labels": ["a", "b\nc"]}, 400, "one line"),
        ({"labels": ["a", "b", 3]}, 400, "one line"),
        ({"labels": ["a", "b", "\ufeff"]}, 400, "one line"),
        ({"labels": ["a", "b", ""]}, 400, "ends with an empty text"),
        ({"labels": "nosuch.txt"}, 422, "nosuch.txt is missing"),
        ({"labels": "../../x"}, 422, "without a folder"),
        ({"labels": 5}, 422, "'labels' must be a text"),
        ({"img_channels": 3}, 422, "'img_channels' is 3"),
        ({"description": 5}, 422, "'description' must be a text"),
        ({"preprocess": {"sizes": 1}}, 422, "unknown key 'sizes'"),
        ({"preprocess": {"size": [20000, 1]}}, 422, "'preprocess.size'"),
        ({"version": 7, "op": "x"}, 404, "no version 7"),
        ({"version": "1", "op": "x"}, 400, "'version' must be a whole number"),
        ({"version": True, "op": "x"}, 400, "'version' must be a whole number"),
        ({"version": -1, "op": "x"}, 400, "'version' must be 0 to"),
    ],
)
def test_a_change_that_cannot_be_made_changes_nothing(
    client, config, published, changes, status, sentence
):
    before = read_files(config.model_dir)
    assert sentence in error_of(post(client, name="linear", **changes), status)
    assert read_files(config.model_dir) == before
    assert [path.name for path in config.model_dir.iterdir()] == ["linear"]


@pytest.mark.parametrize("name", ["nosuch", "..", "", "a/b"])
def test_of_no_model_nothing_can_be_changed(client, published, name):
    """The error says how to rename a model, which this route does not do."""
    sentence = error_of(post(client, name=name, description="x"), 404)
    assert "to rename one, upload its bundle" in sentence


@pytest.mark.parametrize("content", [{"description": "x"}, {"name": 5}, {"name": None}])
def test_a_change_without_a_name_is_told_so(client, published, content):
    assert "'name' must be a text" in error_of(post(client, **content), 400)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
def test_what_is_no_json_object_is_told_so(client, published, body):
    assert "JSON" in error_of(client.simulate_post("/params", body=body), 400)


def test_a_change_without_a_body_is_a_bad_request(client, published):
    error_of(client.simulate_post("/params"), 400)


def test_a_body_above_the_limit_is_too_large(client, config, published):
    reply = post(client, name="linear", description="x" * config.max_body_bytes)
    assert "larger than 100000 bytes" in error_of(reply, 413)


def test_a_damaged_version_is_no_base(client, bundle, config):
    """A new manifest would list the damaged file as whole."""
    write_manifest(bundle)
    client.simulate_post("/upload", body=tar_of(bundle))
    (config.model_dir / "linear" / "1" / "report" / "curve.svg").write_text("<sv")
    reply = post(client, name="linear", description="x")
    assert "report/curve.svg is not the file" in error_of(reply, 422)


def test_a_version_deleted_while_it_is_copied_is_not_found(
    client, services, published, monkeypatch
):
    locked = runtime.publishing.revision.locked

    @contextmanager
    def delete_first(path, **options):
        services.store.delete("linear")
        with locked(path, **options):
            yield

    monkeypatch.setattr(runtime.publishing.revision, "locked", delete_first)
    reply = post(client, name="linear", description="x")
    assert "not there any more" in error_of(reply, 404)
    assert client.simulate_get("/models").json == []


def test_nobody_replaces_the_onnx_while_it_is_copied(
    client, services, published, monkeypatch
):
    held = []
    locked = runtime.publishing.revision.locked

    @contextmanager
    def watched(path, **options):
        held.append((path, options))
        with locked(path, **options):
            yield

    monkeypatch.setattr(runtime.publishing.revision, "locked", watched)
    post(client, name="linear", description="x")
    assert held == [(published / "1", {"shared": True})]
