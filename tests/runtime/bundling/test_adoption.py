"""Flat folders become the first version of their name, and stay where they are."""

import json
import shutil

import pytest

from bundle.errors import StoreError
from bundle.folder import open_whole
from bundle.store import ModelStore
from runtime.admin.errors import WorkFailed
from runtime.admin.local import LocalAdmin
from runtime.bundling import adoption
from runtime.bundling.adoption import adopt, judge
from runtime.bundling.flat_folders import FlatFolder, find_flat_folders
from runtime.config import Config
from tests.documents import ROOT
from tests.examples import WEIGHTS, linear_onnx, write_bundle

CPU = "onnxruntime/CPUExecutionProvider"


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.fixture
def admin(store):
    write_bundle(store.root / "linear")
    return LocalAdmin(Config(model_dir=store.root, provider="cpu"))


def adopted(admin, name="linear", root=None, tell=list):
    (flat,) = find_flat_folders(root or admin.folder, [name])
    return adopt(flat, admin, lambda line: tell(line), is_in_place=root is None)


def judged(admin, name="linear", root=None):
    (flat,) = find_flat_folders(root or admin.folder, [name])
    return judge(flat, admin, is_in_place=root is None).outcome


def content(folder):
    return {p: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_a_flat_folder_becomes_version_1_and_stays(admin, store):
    before = content(store.root / "linear")
    assert judged(admin) == "wanted"
    done = adopted(admin)
    assert (done.outcome, done.version, done.backend) == ("adopted", 1, CPU)
    assert done.serves == 1
    assert store.versions("linear") == [0, 1]
    assert store.serving("linear") == 1
    assert content(store.root / "linear") == before
    version = store.version("linear", 1).path
    assert (version / "model.onnx").read_bytes() == linear_onnx()
    assert (version / "manifest.json").is_file()
    assert open_whole(version).labels == ("zero", "one", "two")


def test_a_model_with_versions_is_left_alone(admin, store):
    """Its newer version would be replaced by the old flat folder."""
    adopted(admin)
    assert judged(admin) == "there"
    assert store.versions("linear") == [0, 1]


def test_the_way_back_is_version_0(admin, store):
    adopted(admin)
    admin.set_label("linear", "stable", 0)
    assert store.serving("linear") == 0


def test_a_label_on_the_flat_folder_stays_there(admin, store):
    admin.set_label("linear", "stable", 0)
    assert adopted(admin).serves == 0


def test_the_name_of_the_folder_counts(admin, store):
    """Clients ask for it, because TFaaS and this service find a model by its folder."""
    (store.root / "linear").rename(store.root / "other")
    lines = []
    assert adopted(admin, "other", tell=lines.append).outcome == "adopted"
    assert "params.json names it linear" in lines[0]
    params = open_whole(store.version("other", 1).path).params
    assert (params.name, params.img_channels) == ("other", 1)
    assert store.names() == ["other"]


def test_a_model_without_params_gets_some(admin, store):
    (store.root / "linear" / "params.json").unlink()
    assert adopted(admin).outcome == "adopted"
    path = store.version("linear", 1).path / "params.json"
    assert json.loads(path.read_text()) == {"name": "linear"}


def test_folders_of_another_place_are_only_read(admin, store, tmp_path):
    write_bundle(tmp_path / "old" / "net", name="net")
    assert adopted(admin, "net", tmp_path / "old").version == 1
    assert store.versions("net") == [1]
    assert judged(admin, "net", tmp_path / "old") == "there"
    shutil.copytree(store.root / "linear", tmp_path / "old" / "linear")
    assert judged(admin, "linear", tmp_path / "old") == "there", "a flat one is there"


def test_a_broken_model_is_refused_and_the_store_stays(admin, store):
    (store.root / "linear" / "model.onnx").write_bytes(b"nonsense")
    done = adopted(admin)
    assert done.outcome == "refused"
    assert "model.onnx is damaged" in done.reason
    assert store.versions("linear") == [0]


def test_a_folder_that_changes_meanwhile_is_not_adopted(admin, store):
    """TFaaS may get an upload of the same name while the copy is converted."""
    (flat,) = find_flat_folders(store.root)

    class Changing(FlatFolder):
        def states(self):
            found = super().states()
            with (self.path / "labels.txt").open("a") as labels:
                labels.write("another\n")
            return found

    done = adopt(Changing(**vars(flat)), admin, print, is_in_place=True)
    assert (done.outcome, store.versions("linear")) == ("refused", [0])
    assert "changed while they were read" in done.reason


def test_a_version_that_somebody_publishes_meanwhile_serves(admin, store):
    """The old folder's version would be newer, and is taken back."""
    newer = linear_onnx(WEIGHTS * 2)

    class Racing(LocalAdmin):
        def publish(self, archive):
            store.install(lambda staged: write_bundle(staged, onnx_bytes=newer))
            return super().publish(archive)

    racing = Racing(admin.settings)
    done = adopted(racing)
    assert done.outcome == "there"
    assert "its version 1 at the same time" in done.reason
    assert store.versions("linear") == [0, 1]
    assert (store.current("linear").path / "model.onnx").read_bytes() == newer


def test_a_version_that_somebody_publishes_just_after_it_leaves_it_there(admin, store):
    """Each of two commands would take its own back, and none would be left."""
    newer = linear_onnx(WEIGHTS * 2)

    class Racing(LocalAdmin):
        def publish(self, archive):
            published = super().publish(archive)
            store.install(lambda staged: write_bundle(staged, onnx_bytes=newer))
            return published

    assert adopted(Racing(admin.settings)).outcome == "adopted"
    assert store.versions("linear") == [0, 1, 2]
    assert store.serving("linear") == 2


@pytest.fixture
def flat(store, admin):
    """Return a SavedModel as TFaaS keeps it; it has no ONNX."""
    source = ROOT / "tests" / "stores" / "1.0.0" / "models" / "flat"
    shutil.copytree(source, store.root / "flat")
    return store.root / "flat"


class Trusting(LocalAdmin):
    """A store that takes a SavedModel without a look; unit tests have no TensorFlow."""

    def publish(self, archive):
        for _ in archive.chunks:
            pass
        return {"name": "flat", "version": 1, "backend": "tensorflow/cpu"}


def crash(folder, config):
    raise WorkFailed("the exporter failed (exit code 3): no more")


@pytest.mark.parametrize(
    ("can", "convert", "reason"),
    [
        (False, None, "the exporter is not installed here"),
        (True, lambda folder, config: "it draws random numbers", "it draws random"),
        (True, crash, "the exporter failed"),
    ],
)
def test_tensorflow_serves_what_is_not_converted(
    flat, admin, monkeypatch, can, convert, reason
):
    monkeypatch.setattr(adoption, "can_convert", lambda: can)
    monkeypatch.setattr(adoption, "convert", convert)
    done = adopted(Trusting(admin.settings), "flat")
    assert (done.outcome, done.backend) == ("adopted", "tensorflow/cpu")
    assert reason in done.fallback_reason


def test_a_store_that_cannot_be_written_ends_the_work(admin):
    """The next folder would fare no better."""

    class Full(LocalAdmin):
        def publish(self, archive):
            raise StoreError("the store cannot be written: No space left on device")

    with pytest.raises(StoreError):
        adopted(Full(admin.settings))
