"""A training starts from the weights of another bundle, if it fits the data."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from bundle.errors import BundleError, DomainError, ModelNotFound
from tests.trainer.examples import blank_images
from trainer.data import DataSet
from trainer.errors import ArchitectureError
from trainer.networks.build import build_network
from trainer.networks.start import find_start
from trainer.train import Training

pytestmark = pytest.mark.tensorflow


def test_same_labels_give_the_same_model(
    bundle_folder: Path, training: Training, few_data: DataSet
) -> None:
    start = find_start(str(bundle_folder), Path("models"))
    assert (start.network, start.labels) == ("cnn", few_data.labels)
    model = build_network(few_data, "cnn", start=start)
    for a, b in zip(model.get_weights(), training.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_of_the_store_is_found_by_its_version(
    bundle_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(bundle_folder, tmp_path / "digits" / "3")
    start = find_start("digits:3", tmp_path)
    assert start.file == tmp_path / "digits" / "3" / "model.keras"


def test_other_labels_give_a_new_last_layer(
    bundle_folder: Path,
    training: Training,
    few_data: DataSet,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = find_start(str(bundle_folder), Path("models"))
    data = blank_images((28, 28, 1), 4)
    model = build_network(data, "cnn", start=start)
    assert f"the labels of {bundle_folder} differ" in capsys.readouterr().out
    # The last two are the weights and the offsets of the last layer.
    before = training.model.get_weights()[:-2]
    for a, b in zip(model.get_weights()[:-2], before, strict=True):
        np.testing.assert_array_equal(a, b)
    scores = np.asarray(model(data.x_train))
    assert scores.shape == (4, 4)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_images_of_another_size_are_refused(bundle_folder: Path) -> None:
    start = find_start(str(bundle_folder), Path("models"))
    told = "takes inputs of 28 x 28 x 1, and the data set has 20 x 28 x 1; .*--size"
    with pytest.raises(ArchitectureError, match=told):
        build_network(blank_images((20, 28, 1), 10), "cnn", start=start)


def test_a_model_without_a_last_dense_layer_is_refused(
    bundle_folder: Path, tmp_path: Path
) -> None:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10), layers.Softmax()]
    )
    model.save(tmp_path / "model.keras")
    start = find_start(str(bundle_folder), Path("models"))
    start = dataclasses.replace(start, file=tmp_path / "model.keras")
    with pytest.raises(ArchitectureError, match="ends in a Softmax, so it cannot get"):
        build_network(blank_images((28, 28, 1), 4), "cnn", start=start)


def test_code_in_the_file_is_not_run(bundle_folder: Path, tmp_path: Path) -> None:
    import keras

    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Lambda(lambda x: x + 1)]
    )
    model.save(tmp_path / "model.keras")
    start = find_start(str(bundle_folder), Path("models"))
    start = dataclasses.replace(start, file=tmp_path / "model.keras")
    with pytest.raises(DomainError, match="holds Python code, which is not run"):
        build_network(blank_images((28, 28, 1), 10), "cnn", start=start)


def test_a_bundle_without_its_keras_file_is_refused(
    bundle_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(bundle_folder, tmp_path / "m")
    (tmp_path / "m" / "model.keras").unlink()
    with pytest.raises(ArchitectureError, match="m has no model.keras, from which"):
        find_start(str(tmp_path / "m"), tmp_path)
    (tmp_path / "m" / "params.json").write_text("{")
    with pytest.raises(BundleError):
        find_start(str(tmp_path / "m"), tmp_path)


def test_a_file_or_nothing_is_refused(bundle_folder: Path, tmp_path: Path) -> None:
    file = bundle_folder / "model.keras"
    with pytest.raises(ArchitectureError, match="is a file, and --from needs a bundle"):
        find_start(str(file), tmp_path)
    with pytest.raises(ModelNotFound, match="there is no model 'cats:2'"):
        find_start("cats:2", tmp_path)
