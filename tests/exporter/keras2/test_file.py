"""The answers of Keras 2 are recorded beside each of its files."""

import json
import re
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

from exporter.keras2.errors import Untranslatable
from exporter.sources.keras_file import load_keras
from tests.exporter.keras2.conftest import FILES

pytestmark = pytest.mark.tensorflow

with tarfile.open(FILES) as _archive:
    # Keras 2 itself could write one of the models in one form only.
    NAMES = sorted(n for n in _archive.getnames() if n.endswith((".h5", ".keras")))
# Keras 3 takes texts only as tensors of TensorFlow.
TEXTS = ("texts", "vectorized")


def read(path):
    from exporter.keras2 import file

    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return file.read(path, json.loads(archive.read("config.json")))
    with h5py.File(path) as archive:
        config = json.loads(archive.attrs["model_config"])
    return file.read(path, config)


@pytest.mark.parametrize("name", NAMES)
def test_it_answers_as_keras_2_did(files, name):
    import tensorflow as tf

    path = files / name
    with np.load(path.with_suffix(".npz")) as recorded:
        given = {k[3:]: recorded[k] for k in recorded if k.startswith("in ")}
        wanted = {k[4:]: recorded[k] for k in recorded if k.startswith("out ")}
    if path.stem in TEXTS:
        given = {k: tf.constant(v.tolist()) for k, v in given.items()}
    model = read(path)
    takes = given if path.stem == "named_io" else [*given.values()]
    answered = model(takes[0] if len(takes) == 1 else takes, training=False)
    if not isinstance(answered, dict):
        answers = answered if isinstance(answered, list | tuple) else [answered]
        answered = dict(zip(wanted, answers, strict=True))
    assert answered.keys() == wanted.keys()
    # Numbers of half precision have three digits.
    rtol = 1e-2 if path.stem == "half" else 1e-4
    for key, expected in wanted.items():
        assert answered[key].shape == expected.shape
        np.testing.assert_allclose(answered[key], expected, rtol, rtol / 10)


@pytest.mark.parametrize("name", ["siamese.h5", "siamese.keras"])
def test_what_is_converted_answers_as_keras_2_did(files, name):
    signature = load_keras(files / name)
    with np.load(files / "siamese.npz") as recorded:
        given = {"input_2": recorded["in x0"], "input_3": recorded["in x1"]}
        expected = recorded["out y0"]
    np.testing.assert_allclose(signature.call(**given)["output_0"], expected, rtol=1e-5)


def test_a_former_hdf5_file_under_the_newer_name_is_read_as_what_it_is(files, tmp_path):
    """TensorFlow up to 2.11 wrote HDF5 under every name."""
    path = tmp_path / "net.keras"
    path.write_bytes((files / "dense.h5").read_bytes())
    assert set(load_keras(path).outputs) == {"output_0"}


def test_what_keras_3_cannot_say_tells_what_helps(edited):
    def change(config):
        config["config"]["layers"][1]["config"]["groups"] = 3

    path = edited("depthwise.h5", change)
    with pytest.raises(
        Exception,
        match=r"^depthwise.h5 was written by Keras 2\.\d+\.\d+, and Keras 3 cannot load"
        r" it: Keras 3 has no groups in DepthwiseConv2D; in the Python that wrote it"
        r".* keras.models.load_model\('depthwise.h5'\) and model.save\('FOLDER',",
    ):
        load_keras(path)


@pytest.mark.parametrize("name", ["dense.h5", "dense.keras"])
@pytest.mark.parametrize(
    "entry",
    [
        {"class_name": "Custom>Dense"},
        {"module": "os", "class_name": "Dense"},
        {"module": "kerasx.layers", "class_name": "Dense"},
        {"class_name": "Dense", "registered_name": "mine>Dense"},
        {"class_name": "Scaled"},
    ],
)
def test_a_class_of_ones_own_is_refused_by_its_name(edited, name, entry):
    path = edited(name, lambda config: config["config"]["layers"][1].update(entry))
    wanted = entry["class_name"].rpartition(">")[2]
    with pytest.raises(Exception, match=f"needs '{wanted}', a class .* not Keras's"):
        load_keras(path)


@pytest.mark.parametrize("name", ["dense.h5", "dense.keras"])
@pytest.mark.parametrize(
    "activation",
    [
        "get_file",
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"module": "keras.utils", "class_name": "function", "config": "get_file"},
        {"module": "os", "class_name": "function", "config": "system"},
        {"class_name": "TFSMLayer", "config": {"filepath": "/tmp/x"}},
    ],
)
def test_a_function_that_is_no_activation_is_refused(edited, name, activation):
    def change(config):
        config["config"]["layers"][1]["config"]["activation"] = activation

    with pytest.raises(Exception, match="not Keras's|Keras 3 has no layer TFSMLayer"):
        load_keras(edited(name, change))


def test_words_of_another_file_are_not_read(edited):
    def change(config):
        config["config"]["layers"][1]["config"]["vocabulary"] = "/etc/passwd"

    with pytest.raises(Exception, match="its words are in another file"):
        load_keras(edited("texts.h5", change))


def first_weights(file):
    (name,) = [n for n in file["model_weights"] if n.startswith("dense")][:1]
    group = file["model_weights"][name]
    return group, group.attrs["weight_names"][0]


def test_weights_of_another_file_are_not_read(files, tmp_path):
    """HDF5 reads the bytes of any file that it is told to read."""
    path, secret = tmp_path / "net.h5", tmp_path / "secret"
    path.write_bytes((files / "dense.h5").read_bytes())
    secret.write_bytes(bytes(4096))
    with h5py.File(path, "a") as file:
        group, name = first_weights(file)
        shape = group[name].shape
        del group[name]
        group.create_dataset(name, shape, "f4", external=[(str(secret), 0, 4096)])
    with pytest.raises(Untranslatable, match="no plain numbers of this file"):
        read(path)


@pytest.mark.parametrize("kind", ["external", "soft", "circle"])
def test_names_that_lead_elsewhere_are_not_followed(files, tmp_path, kind):
    path = tmp_path / "net.h5"
    path.write_bytes((files / "dense.h5").read_bytes())
    with h5py.File(path, "a") as file:
        group, name = first_weights(file)
        del group[name]
        group[name] = {
            "external": h5py.ExternalLink("other.h5", "/x"),
            "soft": h5py.SoftLink("/model_weights"),
            "circle": file["model_weights"],
        }[kind]
    with pytest.raises(Untranslatable, match="not in this file|hold one another"):
        read(path)


def test_weights_that_are_left_over_are_refused(files, tmp_path):
    path = tmp_path / "net.h5"
    path.write_bytes((files / "dense.h5").read_bytes())
    with h5py.File(path, "a") as file:
        group, _ = first_weights(file)
        names = [*group.attrs["weight_names"]]
        group.attrs["weight_names"] = [*names, names[0]]
    with pytest.raises(Untranslatable, match="has 3 weights, where Keras 3 has 2"):
        read(path)


@pytest.mark.parametrize(
    ("name", "left_out", "added", "sentence"),
    [
        ("dense.keras", "model.weights.h5", "", "it has no weights"),
        ("dense.keras", "", "assets/words.txt", "some of its words are in files of"),
    ],
)
def test_a_file_that_is_not_as_keras_2_wrote_it(
    files, tmp_path, name, left_out, added, sentence
):
    path = tmp_path / name
    with zipfile.ZipFile(files / name) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.namelist():
            if entry != left_out:
                new.writestr(entry, old.read(entry))
        if added:
            new.writestr(added, "x")
    with pytest.raises(Untranslatable, match=sentence):
        read(path)


def test_a_file_of_a_model_without_its_weights(files, tmp_path):
    path = tmp_path / "net.h5"
    path.write_bytes((files / "dense.h5").read_bytes())
    with h5py.File(path, "a") as file:
        del file["model_weights"]
    with pytest.raises(Untranslatable, match="it has no weights"):
        read(path)


def test_every_kind_is_in_both_forms():
    """The exception is the model that Keras 2 itself cannot write as .keras."""
    stems = [re.sub(r"\.\w+$", "", name) for name in NAMES]
    assert {stem for stem in stems if stems.count(stem) == 1} == {"operators"}
