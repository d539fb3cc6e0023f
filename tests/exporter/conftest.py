"""Make small untrained Keras models, as SavedModels."""

import shutil

import pytest


@pytest.fixture(scope="session")
def keras():
    """Return Keras, which is imported here so that tests without it stay quick."""
    import keras

    keras.utils.set_random_seed(7)
    return keras


@pytest.fixture(scope="session")
def _written(tmp_path_factory):
    """Keep one folder for each model that was written, together with the model."""
    folders = {}

    def write(model):
        if id(model) not in folders:
            folder = tmp_path_factory.mktemp("written") / "saved"
            model.export(folder, verbose=False)
            folders[id(model)] = (model, folder)
        return folders[id(model)][1]

    return write


@pytest.fixture
def saved_model(_written, tmp_path):
    """Write a Keras model as ``trainer run`` does; a test may change its own copy."""
    return lambda model: shutil.copytree(_written(model), tmp_path / "saved")


@pytest.fixture(scope="session")
def small_cnn(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="input_1"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
