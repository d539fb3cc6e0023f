import json
import os
import shutil
from dataclasses import replace

import pytest

from bundle.errors import StoreError
from bundle.folder import open_bundle
from bundle.parity import read_parity
from bundle.store import ModelStore
from runtime.backends.opening import Opened
from runtime.config import Config
from runtime.conversion import conversions as conversion
from runtime.conversion.conversions import Conversions
from runtime.models.model import Model
from tests.examples import write_bundle, write_parity
from tests.frozen import write_frozen_bundle
from tests.runtime.fakes import FakeBackend


@pytest.fixture
def config(tmp_path):
    return Config(model_dir=tmp_path / "models", keep_versions=0)


@pytest.fixture
def store(config):
    return ModelStore(config.model_dir)


@pytest.fixture
def conversions(store, config):
    return Conversions(store, config)


def publish(store, name="frozen"):
    """Publish a version with a TensorFlow model and no ONNX; nobody loads it here."""
    return store.install(
        lambda folder: write_frozen_bundle(folder, b"graph", name=name)
    )


def publish_onnx(store):
    return store.install(lambda folder: write_bundle(folder))


def state(conversions, version, model=None):
    parity = read_parity(version.path)
    return conversions.state(version, open_bundle(version.path), parity, model)


def loaded(version, **opened):
    backend = FakeBackend(name=opened.pop("name"))
    return Model(open_bundle(version.path), 1, Opened(backend, **opened), None)


def in_order(conversions):
    return [(version.name, version.number) for version in conversions.wanted()]


def test_what_has_no_onnx_is_wanted(conversions, store):
    assert conversions.wanted() == []
    version = publish(store)
    publish_onnx(store)
    assert conversions.wanted() == [version]
    assert state(conversions, version) == "tensorflow: it is not converted yet"


def test_what_another_machine_published_is_left_to_it(store, config):
    conversions = Conversions(store, config, is_own=lambda version: False)
    version = publish(store)
    assert conversions.wanted() == []
    assert state(conversions, version) == (
        "tensorflow: the machine that published it converts it"
    )


def test_what_serves_comes_first_then_what_has_a_label_then_the_newest(
    conversions, store
):
    for name in ("a", "b"):
        for number in range(1, 5):
            path = publish(store, name).path
            os.utime(path, ns=(0, number))
    store.set_label("a", "stable", 2)
    store.set_label("b", "canary", 1)
    found = in_order(conversions)
    assert set(found[:2]) == {("a", 2), ("b", 4)}
    assert found[2] == ("b", 1)
    assert [number for _, number in found[3:]] == [4, 3, 3, 2, 1]


def test_a_folder_put_by_hand_is_left_alone(conversions, store):
    write_frozen_bundle(store.root / "flat", b"graph", name="flat")
    assert conversions.wanted() == []
    said = state(conversions, store.version("flat", 0))
    assert said == "tensorflow: there is no model.onnx; make it with: exporter convert"


def test_a_broken_bundle_hides_no_other(conversions, store):
    publish(store, "a")
    broken = publish(store, "b")
    (broken.path / "params.json").write_text("{")
    assert in_order(conversions) == [("a", 1)]


def test_a_failure_is_remembered_by_every_process(conversions, store, config):
    version = publish(store)
    conversions.begin(version)
    conversions.fail(version, "it has texts")
    for one in (conversions, Conversions(store, config)):
        assert one.wanted() == []
        assert state(one, version) == "tensorflow: it has texts"
    assert store.names() == ["frozen"]
    assert store.current("frozen") == version, "nothing is loaded anew for it"


def test_another_bundle_of_the_same_number_is_tried(conversions, store):
    version = publish(store)
    conversions.begin(version)
    conversions.fail(version, "it has texts")
    store.delete_version("frozen", 1)
    again = publish(store)
    assert again.number == 1
    assert conversions.wanted() == [again]
    assert state(conversions, again) == "tensorflow: it is not converted yet"


def test_a_bundle_that_was_changed_is_tried_again(conversions, store):
    version = publish(store)
    conversions.begin(version)
    conversions.fail(version, "it has texts")
    bundle = open_bundle(version.path)
    bundle.frozen_graph.write_bytes(b"another graph")
    assert in_order(conversions) == [("frozen", 1)]


def test_services_that_differ_try_a_version_once_each(conversions, store, config):
    version = publish(store)
    longer = Conversions(store, replace(config, export_seconds=1800))
    newer = Conversions(store, config, release="9.9.9")
    for one in (conversions, longer, newer):
        assert one.wanted() == [version]
        one.begin(version)
        one.fail(version, "it has texts")
    for one in (conversions, longer, newer):
        assert one.wanted() == []


def test_it_is_converting_while_somebody_is_at_it(conversions, store, config):
    version, other = publish(store), publish(store, "other")
    elsewhere = Conversions(store, config)
    with conversions.alone():
        conversions.begin(version)
        for one in (conversions, elsewhere):
            assert state(one, version) == "converting"
            assert state(one, other) == "tensorflow: it is not converted yet"
    # The process that converted it ended before it was done.
    assert state(elsewhere, version) == "tensorflow: it is not converted yet"
    assert set(elsewhere.wanted()) == {version, other}
    with conversions.alone():
        conversions.begin(other)
        assert state(elsewhere, other) == "converting"
        assert state(elsewhere, version) == "tensorflow: it is not converted yet"


def test_what_is_said_of_what_is_done_or_gone_goes(conversions, store):
    done, gone, stays = publish(store, "a"), publish(store, "b"), publish(store, "c")
    folder = store.root / ".conversions"
    with conversions.alone():
        for version in (done, gone, stays):
            conversions.begin(version)
            conversions.fail(version, "it has texts")
        (done.path / "model.onnx").write_bytes(b"onnx")
        store.delete("b")
        conversions.sweep()
        assert [path.name for path in folder.iterdir()] == ["c.1.json"]
        store.delete("c")
        conversions.sweep()
        assert not folder.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"source": 1, "tried": 2}'])
def test_a_file_that_was_changed_by_hand_says_nothing(conversions, store, content):
    version = publish(store)
    conversions.begin(version)
    (path,) = (store.root / ".conversions").iterdir()
    assert json.loads(path.read_bytes())["reason"] == ""
    path.write_text(content)
    assert conversions.wanted() == [version]
    assert state(conversions, version) == "tensorflow: it is not converted yet"


def test_a_version_that_cannot_be_written_is_not_wanted(
    conversions, store, monkeypatch
):
    """root may write everything, so this test itself makes the disk's refusal."""
    version = publish(store)
    asked = []
    monkeypatch.setattr(
        os, "access", lambda path, mode: asked.append((path, mode)) or False
    )
    assert conversions.wanted() == []
    assert asked == [(version.path, os.W_OK)]


def test_a_version_that_cannot_be_written_is_shown_so(conversions, store, monkeypatch):
    version = publish(store)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    said = state(conversions, version)
    assert said == "tensorflow: there is no model.onnx, and its folder is read-only"


@pytest.mark.parametrize("unread", ["labels", "versions", "version"])
def test_a_model_that_cannot_be_read_hides_no_other(
    conversions, store, monkeypatch, unread
):
    """root may read everything, so this test itself makes the disk's refusal."""
    publish(store, "a")
    good = publish(store, "b")
    names, read = store.names(), getattr(store, unread)

    def refuse(name, *more):
        if name == "a":
            raise StoreError("the store cannot be read: Permission denied")
        return read(name, *more)

    monkeypatch.setattr(store, "names", lambda: names)
    monkeypatch.setattr(store, unread, refuse)
    assert conversions.wanted() == [good]


def test_a_failure_is_kept_though_its_file_went(conversions, store):
    version = publish(store)
    conversions.begin(version)
    shutil.rmtree(store.root / ".conversions")
    conversions.fail(version, "it has texts")
    assert conversions.wanted() == []
    assert state(conversions, version) == "tensorflow: it has texts"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"export_on_upload": "off"}, "there is no model.onnx; make it with"),
        ({"onnx": "off"}, "config.json's 'onnx' is 'off'"),
    ],
)
def test_where_it_is_switched_off_nothing_is_wanted(store, config, given, said):
    version = publish(store)
    conversions = Conversions(store, replace(config, **given))
    assert not conversions.is_on
    assert conversions.wanted() == []
    assert said in state(conversions, version)


def test_without_the_exporter_nothing_is_wanted(store, config, monkeypatch):
    version = publish(store)
    asked = []
    monkeypatch.setattr(conversion, "find_spec", asked.append)
    conversions = Conversions(store, config)
    assert asked == ["tf2onnx"]
    assert conversions.wanted() == []
    said = state(conversions, version)
    assert said == "tensorflow: there is no model.onnx; make it with: exporter convert"


@pytest.mark.parametrize(
    ("largest", "shown"),
    [(3.14e-7, "3.1e-7"), (1.01e-6, "1.0e-6"), (0.0, "0"), (2.5e-10, "2.5e-10")],
)
def test_onnx_is_shown_with_its_parity(conversions, store, largest, shown):
    version = publish_onnx(store)
    path = version.path / "parity.json"
    path.write_text(
        json.dumps(json.loads(path.read_bytes()) | {"max_abs_diff": largest})
    )
    assert state(conversions, version) == f"onnx (parity {shown})"
    model = loaded(version, name="onnxruntime", is_proved=True)
    assert state(conversions, version, model) == f"onnx (parity {shown})"


def test_onnx_without_a_proof_is_shown_so(conversions, store):
    version = publish_onnx(store)
    (version.path / "parity.json").unlink()
    assert state(conversions, version) == "onnx (unproved)"
    model = loaded(version, name="onnxruntime", is_proved=False)
    assert state(conversions, version, model) == "onnx (unproved)"


def test_onnx_that_does_not_serve_is_shown_with_the_reason(conversions, store):
    version = publish_onnx(store)
    model = loaded(version, name="tensorflow", fallback_reason="it cannot be loaded")
    said = state(conversions, version, model)
    assert said == "tensorflow: it cannot be loaded"
    write_parity(version.path, sha256="0", passed=False)
    said = state(conversions, version)
    assert said == "tensorflow: model.onnx failed its parity check"


def test_a_store_that_is_taken_away_says_nothing(conversions, store):
    version = publish(store)
    conversions.begin(version)
    bundle = open_bundle(version.path)
    shutil.rmtree(store.root)
    assert conversions.wanted() == []
    with pytest.raises(FileNotFoundError), conversions.alone():
        pass
    said = conversions.state(version, bundle, None, None)
    assert said == "tensorflow: it is not converted yet"
