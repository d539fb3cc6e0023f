"""The catalogue describes the models of a store, and those in memory."""

import io
import json
import shutil
import tarfile
from datetime import UTC, datetime

import pytest

from bundle.errors import BundleError, ModelNotFound, StoreError
from bundle.folder import open_bundle
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime import catalogue as catalogue_module
from runtime.backends.opening import Opened
from runtime.catalogue import Catalogue
from runtime.config import Config
from runtime.conversion.conversions import Conversions
from runtime.errors import BackendError
from runtime.models.model import Model
from runtime.models.registry import ModelRegistry
from runtime.watching.watch import Watch
from tests.bundle.making import read_files
from tests.examples import write_bundle, write_variant
from tests.frozen import write_frozen_bundle
from tests.runtime.fakes import FakeBackend

LINEAR = ModelSpec("linear")


class Opener:
    """An opener with a fake engine, which cannot open the broken versions."""

    def __init__(self):
        self.broken = set()

    def __call__(self, version):
        if version.number in self.broken:
            raise BackendError("its weights are broken")
        opened = Opened(FakeBackend(name="onnxruntime"), is_proved=True, variant="fp32")
        return Model(open_bundle(version.path), version.number, opened, None)


class Store(ModelStore):
    """A store that does something once, right before it looks for a version."""

    before = None

    def version(self, name, number):
        before, self.before = self.before, None
        if before:
            before()
        return super().version(name, number)


@pytest.fixture
def config(tmp_path):
    return Config(model_dir=tmp_path / "models")


@pytest.fixture
def store(config):
    return Store(config.model_dir)


@pytest.fixture
def opener():
    return Opener()


@pytest.fixture
def registry(store, opener):
    return ModelRegistry(store, opener, limit=4)


@pytest.fixture
def catalogue(store, registry, config):
    watch = Watch(config, lambda bundle: pytest.fail("not needed"))
    return Catalogue(store, registry, Conversions(store, config), watch)


@pytest.fixture
def publish(store):
    def publish(name="linear", **params):
        return store.install(
            lambda folder: write_bundle(folder, name=name, params=params)
        )

    return publish


def test_an_empty_store_has_no_models(catalogue):
    assert catalogue.models() == []


def test_each_model_is_listed_with_its_params_as_they_are_stored(catalogue, publish):
    publish("a", author="me", ownKey={"deep": [1, None]})
    publish("b")
    first, second = catalogue.models()
    assert (first["name"], second["name"]) == ("a", "b")
    assert (first["author"], first["ownKey"]) == ("me", {"deep": [1, None]})
    assert "author" not in second
    assert first["classes"] == ("zero", "one", "two")


def test_the_folder_in_the_store_is_the_name(catalogue, store, publish):
    shutil.copytree(publish("linear").path, store.root / "copy" / "1")
    assert [model["name"] for model in catalogue.models()] == ["copy", "linear"]


def test_a_listed_model_says_what_serves_and_what_is_in_memory(
    catalogue, registry, store, publish
):
    publish()
    publish()
    (cold,) = catalogue.models()
    assert (cold["version"], cold["versions"], cold["loaded"]) == (2, [1, 2], None)
    assert (cold["backend"], cold["proved"], cold["variant"]) == (None, None, None)
    registry.get(LINEAR)
    store.set_label("linear", "canary", 1)
    (warm,) = catalogue.models()
    assert (warm["serves"], warm["loaded"]) == (2, 2)
    assert (warm["backend"], warm["device"]) == ("onnxruntime", "cpu")
    assert (warm["proved"], warm["variant"]) == (True, "fp32")
    assert (warm["version_labels"], warm["error"]) == ({"canary": 1}, None)


def test_who_stands_in_is_listed_with_the_reason(catalogue, registry, opener, publish):
    publish()
    publish()
    opener.broken = {2}
    assert registry.get(LINEAR).version == 1
    (model,) = catalogue.models()
    assert (model["version"], model["loaded"]) == (2, 1)
    assert "its weights are broken" in model["error"]
    assert "its weights are broken" in catalogue.version("linear", 2)["error"]
    assert catalogue.version("linear", 1)["error"] is None


def test_a_broken_bundle_is_listed_with_its_error_and_hides_no_other(
    catalogue, publish
):
    (publish("a").path / "params.json").write_text("{")
    publish("b")
    broken, whole = catalogue.models()
    assert broken == {"name": "a", "error": broken["error"]}
    assert "params.json is not JSON" in broken["error"]
    assert whole["error"] is None


def test_a_model_that_goes_while_all_are_listed_is_left_out(
    catalogue, store, publish, monkeypatch
):
    publish("a")
    publish("b")
    names = store.names()
    store.delete("a")
    monkeypatch.setattr(store, "names", lambda: names)
    assert [model["name"] for model in catalogue.models()] == ["b"]


def test_a_version_that_is_replaced_while_it_is_read_is_read_anew(
    catalogue, store, publish
):
    publish(author="old")
    second = publish(author="broken")
    (second.path / "params.json").write_text("{")

    def delete_before_the_second_look():
        store.before = lambda: store.delete_version("linear", 2)

    store.before = delete_before_the_second_look
    assert catalogue.params(LINEAR)["author"] == "old"


def test_params_are_those_of_the_version_that_is_meant(catalogue, store, publish):
    publish(author="first")
    publish(author="second")
    store.set_label("linear", "canary", 1)
    for spec, author in [
        (LINEAR, "second"),
        (ModelSpec("linear", 1), "first"),
        (ModelSpec("linear", label="canary"), "first"),
    ]:
        assert catalogue.params(spec)["author"] == author
    (store.root / "linear" / "2" / "params.json").write_text("{")
    with pytest.raises(BundleError, match="params.json is not JSON"):
        catalogue.params(LINEAR)


def test_a_version_is_told_with_its_files_and_the_time_it_came(catalogue, publish):
    before = datetime.now(UTC).replace(microsecond=0)
    version = publish()
    described = catalogue.version("linear", 1)
    sizes = {name: len(data) for name, data in read_files(version.path).items()}
    assert {file["name"]: file["bytes"] for file in described["files"]} == sizes
    assert described["bytes"] == sum(sizes.values())
    assert before <= datetime.fromisoformat(described["timestamp"]) <= datetime.now(UTC)


def test_a_version_in_memory_is_told_with_its_tensors(catalogue, registry, publish):
    publish()
    assert catalogue.version("linear", 1)["inputs"] is None
    registry.get(LINEAR)
    version = catalogue.version("linear", 1)
    assert version["loaded"] is True
    pixels = {"name": "pixels", "dtype": "float32", "shape": (None, 2, 2, 1)}
    assert version["inputs"] == [pixels]
    scores = {"name": "scores", "dtype": "float32", "shape": (None, 3)}
    assert version["outputs"] == [scores]


def test_proofs_of_variants_are_told_beside_the_first(catalogue, publish):
    version = publish()
    write_variant(version.path, "int8", b"another")
    described = catalogue.version("linear", 1)
    assert described["parity"]["passed"] is True
    assert [*described["variants"]] == ["int8"]
    assert described["variants"]["int8"]["passed"] is True
    assert described["conversion"] == "onnx (parity 0)"


def test_a_version_without_onnx_says_how_it_stands(catalogue, store):
    store.install(lambda folder: write_frozen_bundle(folder, b"graph", name="frozen"))
    described = catalogue.version("frozen", 1)
    assert described["parity"] is None
    assert described["conversion"] == "tensorflow: it is not converted yet"


@pytest.mark.parametrize("samples", [10**30, "\ud800"], ids=["integer", "surrogate"])
def test_a_proof_that_json_cannot_carry_is_told_as_the_error(
    catalogue, publish, samples
):
    path = publish().path / "parity.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "samples": samples}))
    version = catalogue.version("linear", 1)
    assert version["parity"] is None
    assert "parity.json holds a value that JSON cannot carry" in version["error"]
    assert version["classes"] == ("zero", "one", "two"), "as far as it goes"


def test_a_model_tells_its_versions_from_the_lowest(catalogue, store, publish):
    for _ in range(3):
        publish()
    store.delete_version("linear", 2)
    store.set_label("linear", "stable", 1)
    model = catalogue.model("linear")
    assert (model["serves"], model["labels"]) == (1, {"stable": 1})
    assert [version["version"] for version in model["versions"]] == [1, 3]
    assert [version["labels"] for version in model["versions"]] == [["stable"], []]
    assert catalogue.labels("linear") == {"stable": 1}


def test_a_version_that_goes_while_they_are_listed_is_left_out(
    catalogue, store, publish, monkeypatch
):
    for _ in range(3):
        publish()
    listed = store.versions("linear")
    store.delete_version("linear", 1)
    monkeypatch.setattr(store, "versions", lambda name: listed)
    model = catalogue.model("linear")
    assert [version["version"] for version in model["versions"]] == [2, 3]


def test_a_version_that_cannot_be_read_hides_no_other(
    catalogue, store, publish, monkeypatch
):
    publish()
    publish()
    find = store.version

    def refuse(name, number):
        if number == 1:
            raise StoreError("the store cannot be read: Permission denied")
        return find(name, number)

    monkeypatch.setattr(store, "version", refuse)
    first, second = catalogue.model("linear")["versions"]
    assert first["error"] == "the store cannot be read: Permission denied"
    assert (first["files"], second["error"]) == ([], None)
    assert first.keys() == second.keys()


@pytest.mark.parametrize(
    "ask",
    [
        lambda catalogue: catalogue.model("nosuch"),
        lambda catalogue: catalogue.labels("nosuch"),
        lambda catalogue: catalogue.params(ModelSpec("nosuch")),
        lambda catalogue: catalogue.version("linear", 2),
        lambda catalogue: catalogue.bundle("linear", 2),
    ],
)
def test_what_is_not_there_is_not_found(catalogue, publish, ask):
    publish()
    with pytest.raises(ModelNotFound):
        ask(catalogue)


@pytest.mark.parametrize(
    "ask",
    [
        lambda catalogue: catalogue.bundle("linear", 1),
        lambda catalogue: catalogue.version("linear", 1),
    ],
)
def test_a_version_that_goes_after_it_was_found_is_not_found(
    catalogue, store, publish, ask, monkeypatch
):
    gone = publish()
    store.delete("linear")
    monkeypatch.setattr(store, "version", lambda name, number: gone)
    monkeypatch.setattr(store, "labels", lambda name: {})
    with pytest.raises(ModelNotFound, match="'linear' is not there any more"):
        ask(catalogue)


def test_an_archive_is_the_bundle_in_one_folder(catalogue, publish):
    version = publish()
    archive = io.BytesIO(b"".join(catalogue.bundle("linear", 1)))
    with tarfile.open(fileobj=archive) as tar:
        found = {
            member.name: tar.extractfile(member).read() for member in tar.getmembers()
        }
    files = read_files(version.path)
    assert found == {f"linear/{name}": data for name, data in files.items()}


@pytest.mark.parametrize("ask", ["bundle", "version"])
def test_a_disk_that_refuses_is_an_error_of_the_store(
    catalogue, publish, monkeypatch, ask
):
    """root reads everything, so this test itself makes the refusal."""
    publish()

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(catalogue_module, "pack", refuse)
    monkeypatch.setattr("bundle.version.os.scandir", refuse)
    with pytest.raises(StoreError, match="cannot be read: Permission denied$"):
        getattr(catalogue, ask)("linear", 1)
