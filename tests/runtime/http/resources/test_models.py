"""GET and DELETE /models handle models, their versions and their archives."""

import hashlib
import io
import json
import re
import shutil
import tarfile
from datetime import datetime

import pytest

import runtime.catalogue
from bundle.archive import unpack
from bundle.errors import StoreError
from bundle.store import ModelStore
from runtime.http.application import create_app
from runtime.services import create_services
from tests.bundle.making import read_files
from tests.clients import LocalClient
from tests.examples import (
    WEIGHTS,
    linear_onnx,
    tar_of,
    write_bundle,
    write_parity,
    write_variant,
)
from tests.forms import form, png
from tests.replies import error_of


@pytest.fixture
def bundle(tmp_path):
    folder = write_bundle(tmp_path / "upload", params={"author": "me"})
    (folder / "assets").mkdir()
    (folder / "assets" / "words.txt").write_text("12345")
    return folder


@pytest.fixture
def published(client, config, bundle):
    client.simulate_post("/upload", body=tar_of(bundle))
    return config.model_dir / "linear"


def test_a_version_that_cannot_be_read_hides_no_other(client, published, monkeypatch):
    """root reads everything, so this test itself makes the disk's refusal."""
    shutil.copytree(published / "1", published / "2")
    real = ModelStore.version

    def refuse(self, name, number):
        if number == 1:
            raise StoreError("the store cannot be read: Permission denied")
        return real(self, name, number)

    monkeypatch.setattr(ModelStore, "version", refuse)
    first, second = client.simulate_get("/models/linear").json["versions"]
    assert first["error"] == "the store cannot be read: Permission denied"
    assert (second["version"], second["error"]) == (2, None)
    assert list(first) == list(second)


def test_a_version_is_described(client, published, bundle):
    client.simulate_put("/models/linear/labels/stable", json={"version": 1})
    version = client.simulate_get("/models/linear/1").json
    files = {name: len(data) for name, data in read_files(bundle).items()}
    parity = version.pop("parity")
    assert datetime.fromisoformat(version.pop("timestamp")).tzinfo
    assert version.pop("batching").startswith("by turns: an item takes ")
    watching = version.pop("watching")
    assert watching["parity"]["state"] == "off"
    assert watching["drift"]["state"] == "not comparable"
    assert version == {
        "name": "linear",
        "version": 1,
        "labels": ["stable"],
        "params": json.loads((bundle / "params.json").read_bytes()),
        "classes": ["zero", "one", "two"],
        "bytes": sum(files.values()),
        "files": [{"name": name, "bytes": files[name]} for name in sorted(files)],
        "loaded": True,
        "backend": "onnxruntime",
        "device": "CPUExecutionProvider",
        "proved": True,
        "conversion": "onnx (parity 0)",
        "sample": None,
        "inputs": [{"name": "pixels", "dtype": "float32", "shape": [None, 2, 2, 1]}],
        "outputs": [{"name": "scores", "dtype": "float32", "shape": [None, 3]}],
        "fallback_reason": "",
        "warm_up": "",
        "variant": "fp32",
        "variant_reason": "",
        "variants": {},
        "error": None,
    }
    assert parity["passed"] is True
    assert parity["sha256"] == hashlib.sha256(linear_onnx()).hexdigest()
    assert parity["cases"] == []


@pytest.fixture
def other(config, published):
    """Return a client of another service on the store, which has loaded nothing."""
    return LocalClient(create_app(create_services(config), config))


def test_a_version_that_is_not_in_memory_says_so(other):
    version = other.simulate_get("/models/linear/1").json
    assert version["loaded"] is False
    keys = ["backend", "device", "proved", "sample", "inputs", "outputs"]
    keys += ["fallback_reason", "variant", "variant_reason", "watching", "error"]
    assert [version[key] for key in keys] == [None] * 11


def test_a_model_is_described_with_its_versions(client, published, bundle):
    client.simulate_post("/upload", body=tar_of(bundle))
    client.simulate_put("/models/linear/labels/stable", json={"version": 1})
    model = client.simulate_get("/models/linear").json
    versions = model.pop("versions")
    assert model == {"name": "linear", "serves": 1, "labels": {"stable": 1}}
    assert versions == [
        client.simulate_get(f"/models/linear/{number}").json for number in (1, 2)
    ]


def test_a_flat_bundle_is_version_zero(client, config):
    write_bundle(config.model_dir / "flat", name="flat")
    assert client.simulate_get("/models/flat").json["serves"] == 0
    version = client.simulate_get("/models/flat/0").json
    assert version["classes"] == ["zero", "one", "two"]
    reply = client.simulate_put("/models/flat/labels/stable", json={"version": 0})
    assert reply.json["version"] == 0
    reply = client.simulate_delete("/models/flat/0")
    assert "put there by hand" in error_of(reply, 409)


def test_a_broken_version_hides_no_other(client, published, bundle):
    client.simulate_post("/upload", body=tar_of(bundle))
    (published / "1" / "params.json").write_text("{")
    first, second = client.simulate_get("/models/linear").json["versions"]
    assert "params.json is not JSON" in first["error"]
    assert (first["params"], first["classes"]) == ({}, [])
    assert "params.json" in [file["name"] for file in first["files"]]
    assert second["error"] is None


@pytest.mark.parametrize("value", [10**30, "\ud800"], ids=["integer", "surrogate"])
def test_a_proof_that_json_cannot_carry_hides_no_model(client, published, value):
    """The proof came with the upload, and no list of models may break on it."""
    digest = hashlib.sha256(linear_onnx()).hexdigest()
    write_parity(published / "1", sha256=digest)
    path = published / "1" / "parity.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "samples": value}))
    (version,) = client.simulate_get("/models/linear").json["versions"]
    assert version["parity"] is None
    assert "parity.json holds a value" in version["error"]


def test_a_name_of_a_file_that_json_cannot_carry_hides_no_model(client, published):
    (published / "1" / "caf\udce9.txt").touch()
    (version,) = client.simulate_get("/models/linear").json["versions"]
    assert "caf\ufffd.txt" in [file["name"] for file in version["files"]]


def test_who_stands_in_for_a_broken_version_is_listed(client, other, published, bundle):
    client.simulate_post("/upload", body=tar_of(bundle))
    (published / "2" / "model.onnx").write_bytes(b"junk")
    body, headers = form(image=png([[1, 2], [3, 4]]), model="linear")
    other.simulate_post("/predict/image", body=body, headers=headers)
    (model,) = other.simulate_get("/models").json
    assert (model["version"], model["loaded"]) == (2, 1)
    assert "cannot be loaded" in model["error"]
    assert "cannot be loaded" in other.simulate_get("/models/linear/2").json["error"]


VERSION_ROUTES = [
    ("GET", "/models/{}/{}"),
    ("HEAD", "/models/{}/{}"),
    ("DELETE", "/models/{}/{}"),
    ("GET", "/models/{}/{}/bundle"),
    ("HEAD", "/models/{}/{}/bundle"),
]


@pytest.mark.parametrize(("method", "path"), VERSION_ROUTES)
@pytest.mark.parametrize(
    ("name", "version", "sentence"),
    [
        ("linear", "2", "no version 2"),
        ("linear", "0", "no version 0"),
        ("nosuch", "1", ""),
        ("..", "1", "no model '..'"),
        (".staging", "1", "no model '.staging'"),
        ("linear", "stable", "labels"),
        ("linear", "01", "versions are numbers"),
        ("linear", "-1", "versions are numbers"),
        ("linear", "9" * 30, "versions are numbers"),
        ("linear", "٣", "versions are numbers"),
    ],
)
def test_what_is_no_version_is_not_found(
    client, config, published, method, path, name, version, sentence
):
    shutil.copytree(published / "1", config.model_dir.parent / "1")
    reply = client.simulate_request(method, path.format(name, version))
    assert reply.status_code == 404
    assert method == "HEAD" or sentence in error_of(reply, 404)
    assert (config.model_dir.parent / "1").is_dir()


def test_a_model_that_is_not_there_is_not_found(client, published):
    assert "no model" in error_of(client.simulate_get("/models/nosuch"), 404)


@pytest.mark.parametrize("path", ["/models/linear", "/models/linear/1", "/models"])
def test_head_answers_without_a_body(client, published, path):
    reply = client.simulate_head(path)
    assert (reply.status_code, reply.content) == (200, b"")


# -- deleting -------------------------------------------------------------------------


def test_a_deleted_version_is_gone(client, services, published, bundle):
    client.simulate_post("/upload", body=tar_of(bundle))
    assert services.registry.peek("linear", 2)
    reply = client.simulate_delete("/models/linear/2")
    assert reply.json == {"deleted": "linear", "version": 2}
    assert services.registry.peek("linear", 2) is None
    assert client.simulate_get("/models/linear").json["serves"] == 1
    error_of(client.simulate_delete("/models/linear/2"), 404)


def test_a_labelled_version_cannot_be_deleted(client, published):
    client.simulate_put("/models/linear/labels/stable", json={"version": 1})
    reply = client.simulate_delete("/models/linear/1")
    assert "labelled 'stable'" in error_of(reply, 409)
    assert client.simulate_get("/models/linear/1").json["loaded"] is True


# -- the archive ----------------------------------------------------------------------


def unpacked(reply, folder):
    folder.mkdir()
    unpack(io.BytesIO(reply.content), folder, gzipped=True)
    return read_files(folder)


def test_a_download_is_the_bundle(client, published, bundle, tmp_path):
    reply = client.simulate_get("/models/linear/1/bundle")
    assert reply.headers["Content-Type"] == "application/gzip"
    assert reply.headers["Content-Disposition"] == (
        'attachment; filename="linear-1.tar.gz"'
    )
    assert unpacked(reply, tmp_path / "download") == read_files(bundle)
    with tarfile.open(fileobj=io.BytesIO(reply.content)) as tar:
        assert {re.match("[^/]*", name)[0] for name in tar.getnames()} == {"linear"}


def test_a_download_can_be_uploaded(client, published):
    archive = client.simulate_get("/models/linear/1/bundle").content
    assert client.simulate_post("/upload", body=archive).json["version"] == 2
    assert client.simulate_get("/models/linear/2/bundle").content == archive


def test_a_download_of_a_flat_bundle_is_the_bundle_alone(
    client, config, bundle, tmp_path
):
    shutil.copytree(bundle, config.model_dir / "linear")
    client.simulate_post("/upload", body=tar_of(bundle))
    client.simulate_put("/models/linear/labels/stable", json={"version": 1})
    reply = client.simulate_get("/models/linear/0/bundle")
    assert unpacked(reply, tmp_path / "download") == read_files(bundle)


def test_a_version_deleted_meanwhile_is_downloaded_whole(
    services, published, bundle, tmp_path
):
    pieces = services.catalogue.bundle("linear", 1)
    services.publisher.delete("linear")
    (tmp_path / "download").mkdir()
    unpack(io.BytesIO(b"".join(pieces)), tmp_path / "download", gzipped=True)
    assert read_files(tmp_path / "download") == read_files(bundle)


def test_a_version_deleted_while_its_files_are_opened_is_not_found(
    client, services, published, monkeypatch
):
    """Some of its files may disappear before they are listed."""
    pack = runtime.catalogue.pack

    def delete_after(files, name):
        packed = pack(dict(list(files.items())[:1]), name)
        services.store.delete("linear")
        return packed

    monkeypatch.setattr(runtime.catalogue, "pack", delete_after)
    reply = client.simulate_get("/models/linear/1/bundle")
    assert "not there any more" in error_of(reply, 404)


def test_head_of_a_download_tells_its_name(client, published):
    reply = client.simulate_head("/models/linear/1/bundle")
    assert reply.status_code == 200
    assert reply.content == b""
    assert reply.headers["Content-Type"] == "application/gzip"
    assert "Content-Length" not in reply.headers, "nobody knows it before"
    assert "linear-1.tar.gz" in reply.headers["Content-Disposition"]


def test_a_file_that_cannot_be_read_is_the_servers_fault(
    client, published, monkeypatch
):
    """root reads everything, so this test itself makes the refusal."""

    def deny(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("runtime.catalogue.pack", deny)
    reply = client.simulate_get("/models/linear/1/bundle")
    assert error_of(reply, 500) == "the store cannot be read: Permission denied"


def test_the_variant_that_serves_is_shown_with_its_proof(client, bundle):
    write_variant(bundle, "int8", linear_onnx(2 * WEIGHTS))
    (bundle / "parity.json").unlink()
    params = json.loads((bundle / "params.json").read_bytes())
    (bundle / "params.json").write_text(json.dumps({**params, "variant": "int8"}))
    client.simulate_post("/upload", body=tar_of(bundle))
    (listed,) = client.simulate_get("/models").json
    version = client.simulate_get("/models/linear/1").json
    for shown in (listed, version):
        assert (shown["variant"], shown["variant_reason"]) == ("int8", "")
    digest = hashlib.sha256(linear_onnx(2 * WEIGHTS)).hexdigest()
    assert version["variants"]["int8"]["sha256"] == digest
    # The variant int8 serves, so it does not matter that model.onnx has no proof.
    assert version["conversion"] == "onnx (parity 0)"
    row = {"model": "linear", "values": [1, 2, 3, 4]}
    assert client.simulate_post("/predict/json", json=row).json == [2, 4, 14]


def test_a_version_says_why_it_is_not_the_variant_that_params_json_names(
    client, published
):
    reply = client.simulate_post("/params", json={"name": "linear", "variant": "int8"})
    assert reply.status_code == 200
    version = client.simulate_get("/models/linear/2").json
    assert (version["variant"], version["backend"]) == ("fp32", "onnxruntime")
    assert version["variant_reason"].startswith("there is no model.int8.onnx")
    assert version["fallback_reason"] == ""
