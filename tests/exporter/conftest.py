"""Keras models, small and untrained, as SavedModels."""

import pytest


@pytest.fixture(scope="session")
def keras():
    """Imported here, so that tests without it stay quick."""
    import keras

    keras.utils.set_random_seed(7)
    return keras


@pytest.fixture
def saved_model(tmp_path):
    """Writes a Keras model as ``trainer run`` does."""

    def save(model):
        folder = tmp_path / "saved"
        model.export(folder, verbose=False)
        return folder

    return save


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
