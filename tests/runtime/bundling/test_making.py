"""A bundle is made of an ONNX model here; tests/end_to_end makes those of Keras."""

import json
import shutil

import pytest

from bundle.errors import BundleError
from bundle.folder import open_whole
from runtime.admin.errors import AdminError
from runtime.bundling import making
from runtime.bundling.given import look_at
from runtime.bundling.making import make_bundle
from runtime.bundling.wishes import Wishes
from runtime.config import Config
from tests.examples import linear_onnx, write_bundle
from tests.runtime.graphs import INT64, STRING, identity, two_inputs

CONFIG = Config(provider="cpu")


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a bundle of an ONNX; it returns it and the steps."""

    def make(content=None, path=None, config=CONFIG, **wishes):
        if path is None:
            path = tmp_path / "net.onnx"
            path.write_bytes(linear_onnx() if content is None else content)
        place = tmp_path / "place"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        told = []
        made = make_bundle(look_at(path), Wishes(**wishes), place, config, told.append)
        return made, "\n".join(told)

    return make


def params(made):
    return json.loads((made.folder / "params.json").read_text())


def test_pictures_are_told_by_the_shape_of_the_input(make):
    made, told = make()
    assert params(made)["img_channels"] == 1
    assert "img_channels is 1, from the shape of pixels: it takes gray" in told
    assert made.folder.name == params(made)["name"] == "net"
    assert open_whole(made.folder).params.name == "net"  # its manifest holds
    assert made.version["inputs"][0]["name"] == "pixels"


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        (("n", 8, 8, 3), 3),
        (("n", "h", "w", 1), 1),
        (("n", 8, 8, 4), 0),
        (("n", 3, 8, 8), 0),  # the channels are first, as in PyTorch
        (("n", 3), 0),
    ],
)
def test_only_gray_and_colour_pictures_have_channels(make, shape, channels):
    made, told = make(identity(1, *shape))
    assert params(made).get("img_channels", 0) == channels
    assert ("img_channels is" in told) == bool(channels)


def test_channels_that_come_first_are_told(make):
    _, told = make(identity(1, "n", 3, 8, 8))
    assert "the channels of x come first, so it takes numbers and no pictures" in told
    assert "come first" not in make(identity(1, "n", 8, 8, 3))[1]


def test_texts_are_no_pictures(make):
    made, _ = make(identity(STRING, "n", 2, 2, 1))
    assert params(made).get("img_channels", 0) == 0


def test_the_words_of_the_person_go_before_the_shape(make):
    made, told = make(
        channels=0,
        name="digits",
        labels=("a", "b", "ü"),
        preprocess={"invert": True},
    )
    assert params(made)["img_channels"] == 0
    assert "img_channels is" not in told
    assert params(made)["name"] == "digits"
    assert open_whole(made.folder).labels == ("a", "b", "ü")
    assert params(made)["preprocess"] == {"invert": True}


def test_inputs_outputs_and_the_missing_proof_are_told(make):
    _, told = make(two_inputs())
    assert "input a: (N, 2) float32\ninput b: (N, 2) int64\noutput sum: (N, 2)" in told
    assert "model.onnx is unproved" in told


def test_classes_without_names_are_told(make):
    hint = "its classes have no names; --labels a,b,c gives them"
    assert hint in make()[1]
    assert hint not in make(labels=("a", "b", "c"))[1]
    assert hint not in make(identity(INT64, "n"))[1]


def test_a_model_that_cannot_be_served_is_refused(make):
    with pytest.raises(BundleError, match=r"labels\.txt names 2 classes and .* has 3"):
        make(labels=("a", "b"))
    with pytest.raises(BundleError, match=r"'img_channels' is 3, and .* takes 1"):
        make(channels=3)
    with pytest.raises(BundleError, match=r"net\.onnx is damaged"):
        make(b"nonsense")


def test_all_files_of_a_bare_folder_come_along(make, tmp_path):
    folder = tmp_path / "net"
    (folder / "assets").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(linear_onnx())
    (folder / "assets" / "words.txt").write_text("a")
    made, _ = make(path=folder)
    assert (made.folder / "assets" / "words.txt").read_text() == "a"


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ({"signature": "train"}, "--signature is for a SavedModel, not for an ONNX"),
        ({"inputs": ("x",)}, "are for a frozen graph, not for an ONNX model"),
        ({"outputs": ("x",)}, "are for a frozen graph, not for an ONNX model"),
        ({"name": "a/b"}, "say --name NAME, which has 1 to 128 letters"),
    ],
)
def test_wishes_that_do_not_fit_are_refused(make, wishes, told):
    with pytest.raises(AdminError, match=told):
        make(**wishes)


@pytest.mark.parametrize("name", ["trial", "again", "bundle"])
def test_a_model_may_have_any_name(make, name):
    made, _ = make(name=name)
    assert open_whole(made.folder).params.name == made.version["name"] == name


def test_a_file_without_a_name_of_its_own_needs_one(make, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_onnx())
    with pytest.raises(AdminError, match="gives the model no name; say --name NAME"):
        make(path=path)
    assert make(path=path, name="net")[0].folder.name == "net"


def test_a_bundle_needs_no_wishes(make, tmp_path):
    folder = write_bundle(tmp_path / "trained")
    with pytest.raises(AdminError, match="its params.json tells its name, labels"):
        make(path=folder, labels=("a", "b", "c"))


def test_without_the_exporter_a_keras_file_says_what_to_install(
    make, tmp_path, monkeypatch
):
    monkeypatch.setattr("runtime.bundling.conversion.can_convert", lambda: False)
    (tmp_path / "iris.keras").write_bytes(b"PK")
    with pytest.raises(AdminError, match="needs the exporter, .*the extra 'export'"):
        make(path=tmp_path / "iris.keras")


def test_without_any_engine_for_it_a_saved_model_is_made_and_not_tried(
    make, tmp_path, monkeypatch
):
    monkeypatch.setattr(making, "can_convert", lambda: False)
    monkeypatch.setattr(making, "find_spec", lambda name: None)
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"\x08\x01")
    made, told = make(path=tmp_path / "net", channels=3)
    assert made.version == {}
    assert params(made)["img_channels"] == 3
    assert "it is not tried here" in told
