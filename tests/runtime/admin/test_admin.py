"""Models in a folder and models on a server are administered in the same way."""

import io
import shutil
import tarfile

import pytest

from bundle.errors import DomainError
from bundle.store import ModelStore
from runtime.admin import Transfer
from runtime.admin.parcel import open_parcel
from tests.examples import tar_of, write_bundle

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture
def store(config):
    return ModelStore(config.model_dir)


def push(admin, path):
    with open_parcel(path) as archive:
        return admin.publish(archive)


def test_what_is_published_is_told(admin, folder):
    assert push(admin, folder) == {
        "name": "linear",
        "version": 1,
        "backend": CPU,
        "fallback_reason": "",
        "warm_up": "",
        "serves": 1,
    }


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_is_published_as_a_folder_is(admin, folder, tmp_path, mode):
    (tmp_path / "archive").write_bytes(tar_of(folder, mode=mode))
    assert push(admin, tmp_path / "archive")["version"] == 1


def test_what_is_no_bundle_is_refused_with_its_sentence(admin, folder):
    archive = tar_of(write_bundle(folder, onnx_bytes=b"nonsense"))
    with pytest.raises(DomainError, match=r"model\.onnx is damaged"):
        admin.publish(Transfer([archive], len(archive)))


def test_models_are_those_of_the_store(admin, folder):
    assert admin.models() == []
    push(admin, folder)
    (model,) = admin.models()
    assert (model["name"], model["version"], model["versions"]) == ("linear", 1, [1])


def test_a_model_tells_of_its_versions_and_labels(admin, folder, store):
    for _ in range(3):
        store.install(lambda staged: write_bundle(staged))
    store.set_label("linear", "stable", 2)
    model = admin.model("linear")
    assert model["serves"] == 2
    assert model["labels"] == {"stable": 2}
    assert [version["version"] for version in model["versions"]] == [1, 2, 3]
    assert admin.version("linear", 2)["labels"] == ["stable"]


def test_a_bundle_is_a_gzipped_tar_of_its_folder(admin, folder):
    push(admin, folder)
    with admin.bundle("linear", 1) as transfer:
        content = b"".join(transfer.chunks)
    assert transfer.length in (None, len(content))
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        stored = tar.extractfile("linear/model.onnx").read()
    assert stored == (folder / "model.onnx").read_bytes()


def test_labels_are_set_and_deleted(admin, folder, store):
    push(admin, folder)
    labelled = {"name": "linear", "label": "canary", "version": 1}
    assert admin.set_label("linear", "canary", 1) == labelled
    assert store.labels("linear") == {"canary": 1}
    assert admin.delete_label("linear", "canary") == labelled
    assert store.labels("linear") == {}


def test_a_version_that_does_not_load_gets_no_label(admin, store):
    store.install(lambda staged: write_bundle(staged, onnx_bytes=b"nonsense"))
    with pytest.raises(DomainError, match="cannot be loaded"):
        admin.set_label("linear", "stable", 1)
    assert store.labels("linear") == {}


def test_a_version_and_then_the_model_are_deleted(admin, store):
    for _ in range(2):
        store.install(lambda staged: write_bundle(staged))
    assert admin.delete_version("linear", 1) == {"deleted": "linear", "version": 1}
    assert store.versions("linear") == [2]
    assert admin.delete("linear") == {"deleted": "linear"}
    assert store.names() == []


def test_another_folder_with_the_number_of_a_deleted_version_is_told(admin, store):
    store.install(lambda staged: write_bundle(staged))
    shutil.copytree(store.root / "linear" / "1", store.root / "linear" / "001")
    deleted = {"deleted": "linear", "version": 1}
    assert admin.delete_version("linear", 1) == {**deleted, "left": "001"}
    assert admin.delete_version("linear", 1) == deleted


@pytest.mark.parametrize(
    "ask",
    [
        lambda admin: admin.model("nosuch"),
        lambda admin: admin.version("nosuch", 1),
        lambda admin: admin.bundle("nosuch", 1).__enter__(),
        lambda admin: admin.delete("nosuch"),
        lambda admin: admin.delete_version("nosuch", 1),
        lambda admin: admin.set_label("nosuch", "stable", 1),
        lambda admin: admin.delete_label("nosuch", "stable"),
    ],
)
def test_what_is_not_there_is_named(admin, ask):
    with pytest.raises(DomainError, match="'nosuch'"):
        ask(admin)
