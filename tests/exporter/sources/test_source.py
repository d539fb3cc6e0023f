import errno
import os

import pytest

from bundle.errors import ModelNotFound
from bundle.manifest import sha256_of
from bundle.objects.opening import open_store
from bundle.store import ModelStore
from exporter.errors import SourceError
from exporter.sources.source import find_path, find_source, open_source, share
from tests.examples import write_bundle
from tests.frozen import FILE, write_frozen_bundle


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Return a store with a model of three versions, the second of them stable."""
    monkeypatch.chdir(tmp_path)
    store = ModelStore(tmp_path / "models")
    for _ in range(3):
        store.install(write_bundle)
    store.set_label("linear", "stable", 2)
    return store


def saved_model(folder, name="m"):
    """Return the files of a bundle with a SavedModel, which nothing here loads."""
    write_bundle(folder, name=name, proved=False)
    (folder / "model.onnx").unlink()
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_bytes(b"index")
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    return folder


@pytest.mark.parametrize(
    ("given", "version"),
    [("linear", "3"), ("linear:1", "1"), ("linear@stable", "2")],
)
def test_a_stored_model_is_spelled_as_in_runtime_models(store, given, version):
    assert find_path(given, store.root) == store.root / "linear" / version


def test_a_name_goes_before_a_folder_of_that_name(store, tmp_path):
    (tmp_path / "linear").mkdir()
    assert find_path("linear", store.root) == store.root / "linear" / "3"


@pytest.mark.parametrize("given", ["linear:9", "linear@canary"])
def test_a_version_that_is_not_there_is_not_a_path(store, given):
    with pytest.raises(ModelNotFound):
        find_path(given, store.root)


def test_the_onnx_of_a_model_of_an_object_store_goes_back_to_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    url = f"file://{tmp_path}/objects"
    open_store(url).install(lambda folder: saved_model(folder) and None)
    source = find_source("m", url)
    assert (source.url, source.version) == (url, 1)
    (source.folder / "model.onnx").write_bytes(b"onnx")
    share(source)
    # Another machine has an empty cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "others"))
    version = open_store(url).find("m")
    assert version.number == 1
    assert (version.path / "model.onnx").read_bytes() == b"onnx"


def test_a_path_has_no_object_store(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    path = saved_model(tmp_path / "some" / "1")
    source = find_source(str(path), f"file://{tmp_path}/objects")
    assert source.url == ""
    share(source)
    assert not (tmp_path / "objects").exists()


@pytest.mark.parametrize("given", ["nosuch", "nosuch:2", "no/such.keras"])
def test_what_is_nowhere_is_answered_with_what_there_is(store, given):
    with pytest.raises(ModelNotFound, match=r"no model '.*' .*the store has linear$"):
        find_path(given, store.root)


def test_a_bundle_is_known_by_its_own_name(tmp_path):
    source = open_source(saved_model(tmp_path / "x", "digits"))
    assert (source.kind, source.name) == ("saved_model", "digits")
    assert source.is_served
    assert source.given == tmp_path / "x"


def test_another_signature_of_it_is_another_model(tmp_path):
    folder = saved_model(tmp_path / "x", "digits")
    source = open_source(folder, signature="embed")
    assert source.name == "digits embed"
    assert not source.is_served
    assert source.digest() != open_source(folder).digest()


def test_saved_model_pb_means_its_folder(tmp_path):
    folder = saved_model(tmp_path / "x")
    assert open_source(folder / "saved_model.pb") == open_source(folder)
    (folder / "params.json").unlink()
    assert open_source(folder / "saved_model.pb").kind == "saved_model"


def test_a_saved_model_without_params_is_known_by_its_folder(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "saved_model.pb").touch()
    assert open_source(tmp_path / "net").name == "net"


def test_params_json_tells_the_nodes_of_a_frozen_graph(tmp_path):
    folder = write_frozen_bundle(tmp_path, b"\x0agraph")
    for given in (folder, folder / FILE):
        source = open_source(given)
        assert (source.inputs, source.outputs) == (("x",), ("scores",))
        assert source.bundle is not None


def test_nodes_of_ones_own_choice_go_before_params_json(tmp_path):
    folder = write_frozen_bundle(tmp_path, b"\x0agraph")
    source = open_source(folder / FILE, inputs=["a", "b"], outputs=["c"])
    assert source.bundle is None
    assert source.name == f"{FILE} a b c"


def test_of_a_folder_of_versions_the_newest_is_meant(tmp_path):
    """TensorFlow Serving chooses the newest version too."""
    for number in ("1", "9", "10"):
        saved_model(tmp_path / "m" / number)
    given, no_store = str(tmp_path / "m"), tmp_path / "models"
    assert find_path(given, no_store) == tmp_path / "m" / "10"
    assert find_source(given, no_store).folder == tmp_path / "m" / "10"
    (tmp_path / "m" / "10" / "params.json").unlink()
    assert find_source(given, no_store).name == "m"


def test_of_a_folder_of_triton_the_saved_model_is_meant(tmp_path):
    saved_model(tmp_path / "m" / "2" / "model.savedmodel")
    (tmp_path / "m" / "2" / "model.savedmodel" / "params.json").unlink()
    source = find_source(str(tmp_path / "m"), tmp_path / "models")
    assert source.folder == tmp_path / "m" / "2" / "model.savedmodel"
    assert source.name == "m"


def test_a_saved_model_of_constants_has_no_variables(tmp_path):
    folder = saved_model(tmp_path / "m")
    for path in (folder / "variables").iterdir():
        path.unlink()
    assert open_source(folder).kind == "saved_model"
    (folder / "variables").rmdir()
    (folder / "params.json").unlink()
    assert open_source(folder / "saved_model.pb").kind == "saved_model"


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5", "M.KERAS", "m.H5"])
def test_a_keras_file_is_told_by_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"abc")
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "of_another_model").write_bytes(b"x")
    source = open_source(tmp_path / name)
    assert (source.kind, source.name, source.given) == ("keras", name, tmp_path / name)
    assert source.digest() == sha256_of(tmp_path / name)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "m.txt", "m.txt is no model that can be converted"),
        (lambda folder: folder, "neither a bundle nor a SavedModel"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, make, sentence):
    (tmp_path / "m.txt").touch()
    with pytest.raises(SourceError, match=sentence):
        open_source(make(tmp_path))


def test_what_cannot_be_read_is_refused_and_named(tmp_path, monkeypatch):
    """root may read anywhere, so the test itself gives the kernel's answer."""

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    path = tmp_path / "net.keras"
    path.touch()
    sentence = "net.keras cannot be read: Permission denied"
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.open", refuse)
        with pytest.raises(SourceError, match=sentence):
            find_source(str(path), tmp_path)
    monkeypatch.setattr("pathlib.Path.exists", refuse)
    with pytest.raises(SourceError, match=sentence):
        find_path(str(path), tmp_path)


def test_a_folder_of_keras_files_says_to_give_one(tmp_path):
    (tmp_path / "net.keras").touch()
    with pytest.raises(SourceError, match="it has net.keras: give that file"):
        open_source(tmp_path)
    (tmp_path / "a.h5").touch()
    with pytest.raises(SourceError, match="has a.h5, net.keras: give one of them"):
        open_source(tmp_path)


def test_a_bundle_of_onnx_alone_has_nothing_to_convert(tmp_path):
    with pytest.raises(SourceError, match="nothing to convert"):
        open_source(write_bundle(tmp_path / "linear"))


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("m.keras", {"signature": "x"}, "--signature needs a SavedModel"),
        ("m.keras", {"inputs": ["x"]}, "--inputs and --outputs need a frozen graph"),
        ("net", {"outputs": ["x"]}, "--inputs and --outputs need a frozen graph"),
        ("m.pb", {"signature": "x"}, "--signature needs a SavedModel"),
    ],
)
def test_arguments_of_another_kind_are_refused(tmp_path, name, arguments, sentence):
    (tmp_path / "m.keras").touch()
    (tmp_path / "m.pb").touch()
    saved_model(tmp_path / "net")
    with pytest.raises(SourceError, match=sentence):
        find_source(str(tmp_path / name), tmp_path / "models", **arguments)
