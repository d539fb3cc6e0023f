"""Keras writes the files; a refused file is refused before Keras reads it."""

import json
import resource
import zipfile

import numpy as np
import pytest

from exporter.errors import ExportError, SourceError
from exporter.sources.keras_file import load_keras
from runtime.backends.randomness import drawn_by

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5"),
]
FORMATS = ["net.keras", "net.h5"]


@pytest.mark.parametrize("name", FORMATS)
def test_inputs_and_outputs_keep_their_names(tmp_path, keras, name):
    left, right = keras.Input((3,), name="left"), keras.Input((2,), name="right")
    joined = keras.layers.Concatenate()([left, right])
    outputs = [keras.layers.Dense(n)(joined) for n in (1, 4)]
    model = keras.Model([left, right], outputs)
    model.save(tmp_path / name)
    signature = load_keras(tmp_path / name)
    assert set(signature.inputs) == {"left", "right"}
    assert set(signature.outputs) == {"output_0", "output_1"}
    batch = {"left": np.ones((2, 3), "f4"), "right": np.ones((2, 2), "f4")}
    answered = signature.call(**batch)
    expected = model([batch["left"], batch["right"]])
    for n in range(2):
        np.testing.assert_allclose(answered[f"output_{n}"], expected[n], rtol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_layers_may_have_names_that_tensorflow_would_not_take(tmp_path, keras, name):
    """Keras cannot export them: 'my model' is not a valid root scope name."""
    given = keras.Input((4,), name="given")
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="ä b")])
    inner.name = "(inner one)"
    model = keras.Model(given, {"of two": inner(given)}, name="my model")
    model.save(tmp_path / name)
    signature = load_keras(tmp_path / name)
    assert (set(signature.inputs), set(signature.outputs)) == ({"given"}, {"of two"})
    numbers = np.ones((2, 4), "f4")
    answered = signature.call(given=numbers)["of two"]
    np.testing.assert_allclose(answered, model(numbers)["of two"], rtol=1e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_lambda_layers_are_refused_by_their_names(tmp_path, keras, name):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Lambda(lambda x: x + 1, name="plus_one"),
            keras.layers.Lambda(lambda x: 2 * x, name="twice"),
        ]
    )
    model.save(tmp_path / name)
    with pytest.raises(
        SourceError,
        match=r"not run: the Lambda layer 'plus_one', the Lambda layer 'twice'; put a"
        r" layer of Keras in its place, or .*model.export\('FOLDER'\)",
    ):
        load_keras(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
def test_a_class_of_ones_own_is_refused_by_its_name(tmp_path, keras, name):
    class Scaled(keras.layers.Layer):
        def call(self, numbers):
            return 2 * numbers

    keras.Sequential([keras.Input((3,)), Scaled()]).save(tmp_path / name)
    with pytest.raises(
        SourceError, match=rf"^{name} needs 'Scaled', a class .* not Keras's; .*export"
    ):
        load_keras(tmp_path / name)


def test_code_in_a_file_is_not_run(tmp_path, keras, monkeypatch):
    """The file hides a lambda as a layer's activation, and has no Lambda layer."""
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(
        tmp_path / "honest.keras"
    )
    with (
        zipfile.ZipFile(tmp_path / "honest.keras") as honest,
        zipfile.ZipFile(tmp_path / "net.keras", "w") as hostile,
    ):
        for entry in honest.namelist():
            content = honest.read(entry)
            if entry == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1]["config"]["activation"] = {
                    "class_name": "__lambda__",
                    "config": {"code": "4wAAAA==", "defaults": None, "closure": None},
                }
                content = json.dumps(config).encode()
            hostile.writestr(entry, content)
    with pytest.raises(SourceError, match="not run: a lambda; "):
        load_keras(tmp_path / "net.keras")


@pytest.fixture(scope="module")
def augmented(keras):
    """Return a model that changes pictures by layers, in Keras's own pattern.

    Pictures and its answers to them come with it; ``predict`` takes seconds.
    """
    layers = keras.layers
    given = keras.Input((12, 12, 3))
    inner = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.RandomZoom(0.1),
            layers.RandAugment((0, 255)),
            layers.GaussianNoise(0.2),
        ]
    )
    changed = layers.RandomFlip()(layers.RandomRotation(0.2)(given), training=True)
    rows = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(inner(changed)))
    model = keras.Model(given, layers.Dense(2)(layers.Dropout(0.5)(rows)))
    pictures = np.random.default_rng(0).random((3, 12, 12, 3), np.float32)
    return model, pictures, model.predict(pictures, verbose=0)


@pytest.mark.parametrize("name", FORMATS)
def test_layers_for_augmentation_change_nothing_as_predict_has_it(
    tmp_path, augmented, name
):
    model, pictures, expected = augmented
    model.save(tmp_path / name)
    signature = load_keras(tmp_path / name)
    (given,) = signature.inputs
    answered = signature.call(**{given: pictures})["output_0"]
    np.testing.assert_allclose(answered, expected, rtol=1e-5)
    assert drawn_by(signature.call) == ""


def test_what_keras_cannot_export_has_its_reason(tmp_path, keras):
    given = keras.Input((3, 4), dtype="string")
    layer = keras.layers.TextVectorization(vocabulary=["a"])
    keras.Sequential([given, layer]).save(tmp_path / "net.keras")
    with pytest.raises(
        SourceError, match="^Keras cannot export net.keras: When using `TextVectorizat"
    ):
        load_keras(tmp_path / "net.keras")


def test_what_only_training_refuses_is_loaded(tmp_path, keras):
    """RandAugment works on one or three channels, and checks them only in training."""
    keras.Sequential([keras.Input((4, 4, 2)), keras.layers.RandAugment((0, 255))]).save(
        tmp_path / "net.keras"
    )
    signature = load_keras(tmp_path / "net.keras")
    (given,) = signature.inputs
    pictures = np.random.default_rng(0).random((3, 4, 4, 2), np.float32)
    answered = signature.call(**{given: pictures})["output_0"]
    np.testing.assert_array_equal(answered, pictures)


def test_the_description_that_is_looked_at_is_the_one_that_keras_reads(tmp_path, keras):
    """HDF5 with a zip file behind it is both; Keras goes by the name and reads HDF5."""
    path = tmp_path / "net.h5"
    hostile = keras.Sequential(
        [keras.Input((3,)), keras.layers.Lambda(lambda x: x, name="hidden")]
    )
    hostile.save(path)
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(
        tmp_path / "honest.keras"
    )
    with path.open("ab") as file:
        file.write((tmp_path / "honest.keras").read_bytes())
    assert zipfile.is_zipfile(path)
    with pytest.raises(SourceError, match="the Lambda layer 'hidden'"):
        load_keras(path)


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x05\x06" + bytes(18)])
def test_a_file_of_something_else(tmp_path, content):
    path = tmp_path / "net.keras"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="net.keras (is not a|holds weights)"):
        load_keras(path)


def test_a_file_of_weights_alone_says_how_to_save_the_model(tmp_path, keras):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(SourceError, match="weights and no model: .*model.save"):
        load_keras(tmp_path / "net.weights.h5")


def test_a_full_disk_is_a_sentence_without_the_folder(tmp_path, keras):
    """``RLIMIT_FSIZE`` stands for a full disk: the kernel refuses the bytes."""
    path = tmp_path / "wide.keras"
    keras.Sequential([keras.Input((100,)), keras.layers.Dense(500)]).save(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ExportError) as no:
            load_keras(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(no.value) == "temporary files cannot be written: File too large"
