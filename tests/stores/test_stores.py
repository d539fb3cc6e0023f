"""This version reads, serves and labels what each released version left.

A failure here means that a promise of docs/upgrading.md is broken: mend the code, and
not the folder of a release.
"""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bundle.folder import open_whole
from bundle.manifest import onnx_digest
from bundle.parity import read_parity
from bundle.variants import parity_file
from runtime import services as rooms
from runtime.config import Config, key, load_settings
from runtime.feedback.folder import FeedbackFolder
from runtime.http.application import create_app
from runtime.services import create_services
from runtime.watching.reference import read_reference
from runtime.wire import tfaas_pb2
from tests.clients import LocalClient
from tests.documents import ROOT
from tests.runtime.config.test_config import OTHERS
from tests.runtime.conftest import trial_here
from tests.stores.asking import PIXELS, ask_all, lost
from tools.reference.metrics import metrics
from trainer.formats.pictures import Form
from trainer.formats.recognize import read_data

RELEASES = sorted(
    path for path in Path(__file__).parent.iterdir() if path.name[0].isdecimal()
)
CPU = "onnxruntime/CPUExecutionProvider"
# The test picture has a white stripe in the middle, as the training data of this class.
MIDDLE = 1


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request):
    return request.param


@pytest.fixture
def config(release, tmp_path):
    """Serve a copy of the release's store, so that nothing can change it."""
    shutil.copytree(release / "models", tmp_path / "models")
    return Config(
        model_dir=tmp_path / "models",
        provider="cpu",
        feedback_dir=str(tmp_path / "feedback"),
    )


@pytest.fixture
def services(config, monkeypatch):
    monkeypatch.setattr(rooms, "ChildTrial", trial_here)
    return create_services(config)


@pytest.fixture
def client(services, config):
    return LocalClient(create_app(services, config))


@pytest.fixture
def replies(release):
    return json.loads((release / "replies.json").read_text())


def test_the_folder_of_the_last_release_is_there():
    """``make.py`` writes it just before a release."""
    changes = (ROOT / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changes, re.M)
    assert {path.name for path in RELEASES} == {*released}


def test_versions_labels_and_the_flat_folder_are_found(services):
    store = services.store
    assert store.names() == ["flat", "jets", "stripes"]
    assert store.versions("stripes") == [1, 2, 3]
    assert store.labels("stripes") == {"canary": 3, "stable": 2}
    assert store.versions("flat") == [0]


def test_every_file_of_the_versions_is_whole(services):
    """manifest.json is compared with the files, and each proof with its ONNX."""
    for number in (1, 2, 3):
        path = services.store.version("stripes", number).path
        found = open_whole(path)
        assert found.labels == ("left", "middle", "right")
        assert found.params.img_channels == 1
        assert found.has_saved_model
    for variant in ("fp32", "fp16"):
        proof = read_parity(path, parity_file(variant))
        assert proof.sha256 == onnx_digest(found.find_onnx(variant))
    assert len(found.read_sample().labels) > 0
    reference = read_reference(found)
    assert sum(reference.counts["predicted"]) == 30, "the test images of the training"


def test_a_recorded_request_gets_its_recorded_answer(client, replies):
    """No key that a client may read is gone, and no value is of another type."""
    now = ask_all(client)
    for name, before in replies.items():
        assert now[name]["status"] == before["status"], name
        assert now[name]["type"] == before["type"], name
        assert [*lost(before["content"], now[name]["content"], name)] == []
    for scores in (
        now["image"]["content"],
        now["inputs"]["content"]["outputs"]["output_0"][0],
        now["infer"]["content"]["outputs"][0]["data"],
        now["tfs"]["content"]["predictions"][0],
    ):
        assert int(np.argmax(scores)) == MIDDLE
        np.testing.assert_allclose(scores, replies["image"]["content"], atol=1e-5)
    row = now["row"]["content"]
    np.testing.assert_allclose(row, replies["row"]["content"], atol=1e-5)
    classes = tfaas_pb2.Predictions.FromString(bytes.fromhex(now["proto"]["content"]))
    told = {one.label: one.probability for one in classes.prediction}
    np.testing.assert_allclose([told["noise"], told["signal"]], row, atol=1e-6)


def test_what_a_client_would_miss_is_found():
    """This is the test of the comparison itself."""
    before = {"a": 1, "b": [{"c": "x"}], "d": None, "e": True}
    assert [*lost(before, {**before, "a": 2.5, "d": {}, "new": 1})] == []
    assert [*lost(before, {**before, "a": "1"})] == [".a is str, and was number"]
    assert [*lost(before, {**before, "b": [{}]})] == [".b[0].c is gone"]
    assert [*lost(before, {**before, "e": 1})] == [".e is number, and was bool"]


def test_a_version_with_its_proof_is_served_from_onnx(client):
    for number in (2, 3):
        body = json.dumps({"inputs": {"keras_tensor": PIXELS}, "model": "stripes"})
        reply = client.simulate_post(f"/predict/json?version={number}", body=body)
        assert reply.headers["X-Model-Backend"] == CPU
        described = client.simulate_get(f"/models/stripes/{number}").json
        assert described["error"] is None
        assert described["proved"] is True


def test_the_variant_of_a_version_may_serve(config, monkeypatch):
    config = replace(config, variant="fp16")
    client = LocalClient(create_app(create_services(config), config))
    body = json.dumps({"inputs": {"keras_tensor": PIXELS}, "model": "stripes"})
    (scores,) = client.simulate_post("/json", body=body).json["outputs"]["output_0"]
    assert int(np.argmax(scores)) == MIDDLE
    assert client.simulate_get("/models/stripes/2").json["variant"] == "fp16"


def test_versions_are_labelled_and_new_ones_published(services, release):
    archive = io.BytesIO((release / "stripes.tar.gz").read_bytes())
    published = services.publisher.publish(archive, gzipped=True)
    assert (published.version, published.backend) == (4, CPU)
    services.publisher.set_label("stripes", "stable", 4)
    assert services.store.serving("stripes") == 4
    assert services.store.labels("stripes") == {"canary": 3, "stable": 4}


def test_the_settings_of_a_release_are_read(release, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(release / "config.json", tmp_path)
    settings = load_settings({})
    released = json.loads((release / "config.json").read_text())
    expected = {name: value for name, (_, _, value) in OTHERS.items()}
    for name, value in expected.items():
        if key(name) in released:
            assert getattr(settings.config, name) == value
    assert settings.doubts == (), "a key that is deprecated stands in docs/upgrading.md"


def test_the_metrics_of_a_release_are_there(release):
    released = json.loads((release / "metrics.json").read_text())
    now = {metric.name: [metric.kind, *metric.labels] for metric in metrics()}
    for name, told in released.items():
        assert now.get(name, [])[:1] == told[:1], name
        assert {*told} <= {*now[name]}, f"{name} has lost a label"


def test_feedback_is_counted_on_and_trained_on(release, tmp_path):
    root = shutil.copytree(release / "feedback", tmp_path / "feedback")
    folder = FeedbackFolder(root, 1 << 20, 100)
    picture = next((root / "stripes" / "images").rglob("*.png"))
    # The picture is known, so nothing is added.
    assert folder.keep_picture("stripes", "middle", picture.read_bytes(), "png") == 1
    columns = ["pt", "eta", "label"]
    assert folder.keep_row("jets", columns, ["1.0", "2.0", "noise"]) == 2
    arrays = read_data(root / "stripes" / "images", Form(), 1 << 20)
    assert arrays.x_train.shape == (1, 8, 8, 1)
