"""The bundle's folder holds the files on which the house and TFaaS agree."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bundle.folder import open_bundle
from bundle.manifest import FILE_NAME, verify_manifest
from tests.examples import small_disk
from trainer.data import DataSet
from trainer.destination import FolderDestination
from trainer.errors import WriteFailed
from trainer.saved_model import _description, read_signature, write_bundle
from trainer.train import Training

pytestmark = pytest.mark.tensorflow


def test_folder_holds_every_file(bundle_folder: Path) -> None:
    assert {path.name for path in bundle_folder.iterdir()} == {
        *("saved_model.pb", "saved_model.pbtxt", "variables", "assets"),
        *("fingerprint.pb", "model.graph", "model.keras", "digits.h5"),
        *("params.json", "labels.txt", "sample.npz", "report", "manifest.json"),
    }


def test_the_description_tells_the_epochs_that_were_done(training: Training) -> None:
    settings = dataclasses.replace(training.settings, epochs=30, patience=1)
    ended_early = dataclasses.replace(training, settings=settings, test_accuracy=0.5)
    told = "cnn trained on a.npz for 1 epoch, test accuracy 0.5000"
    assert _description(ended_early, "a.npz") == told


def test_names_are_those_of_the_signature(
    bundle_folder: Path, few_data: DataSet
) -> None:
    import tensorflow as tf

    params = json.loads((bundle_folder / "params.json").read_text())
    signature = tf.saved_model.load(bundle_folder).signatures["serving_default"]
    # TensorFlow's loader tells the signature's tensors.
    assert list(signature.structured_input_signature[1]) == [params["input_node"]]
    assert list(signature.structured_outputs) == [params["output_node"]]
    # A TensorFlow 1 session, which TFaaS uses, runs the graph by these names.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(bundle_folder))
        scores = session.run(
            params["output_name"] + ":0",
            {params["input_name"] + ":0": few_data.x_test[:5].astype(np.float32)},
        )
    assert scores.shape == (5, 10)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert params["input_node"] == "input_1"
    assert (params["model"], params["labels"]) == ("saved_model.pb", "labels.txt")
    assert (params["name"], params["img_channels"]) == ("digits", 1)


def test_signature_answers_as_the_model(
    bundle_folder: Path, training: Training, few_data: DataSet
) -> None:
    import tensorflow as tf

    signature = tf.saved_model.load(bundle_folder).signatures["serving_default"]
    pixels = tf.constant(few_data.x_test, tf.float32)
    (scores,) = signature(pixels).values()
    assert scores.numpy().argmax(axis=1).tolist() == training.predicted.tolist()


def test_graph_stands_alone_and_as_text(bundle_folder: Path) -> None:
    from google.protobuf import text_format
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    binary = SavedModel.FromString((bundle_folder / "saved_model.pb").read_bytes())
    text = (bundle_folder / "saved_model.pbtxt").read_text()
    assert text_format.Parse(text, SavedModel()) == binary
    graph = MetaGraphDef.FromString((bundle_folder / "model.graph").read_bytes())
    assert graph == binary.meta_graphs[0]
    tensor = graph.signature_def["serving_default"].inputs["input_1"].name
    assert read_signature(bundle_folder).only_input == ("input_1", tensor)


def test_bundle_opens_with_labels_and_a_sample_of_every_class(
    bundle_folder: Path, few_data: DataSet
) -> None:
    bundle = open_bundle(bundle_folder)
    assert bundle.labels == tuple("0123456789")
    sample = bundle.read_sample()
    assert sample is not None
    assert set(sample.labels) == set(range(10))
    first = int(np.flatnonzero(few_data.y_test == 0)[0])
    np.testing.assert_array_equal(sample.images[0], few_data.x_test[first])


def test_keras_files_load_again(bundle_folder: Path, training: Training) -> None:
    import keras

    for name in ("model.keras", "digits.h5"):
        model = keras.models.load_model(bundle_folder / name)
        for loaded, fitted in zip(
            model.get_weights(), training.model.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(loaded, fitted)


def test_manifest_lists_every_file_but_the_page_that_changes(
    bundle_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(bundle_folder, tmp_path / "copy")
    verify_manifest(folder)
    listed = json.loads((folder / FILE_NAME).read_text())["sha256"]
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert listed.keys() == there - {FILE_NAME, "report/report.html"}


# The disk is full at TensorFlow's weights, Keras's own file, HDF5's, the graph as text,
# the sample or a plot, and the page of the report, in this order. All files take 2 MB.
@pytest.mark.parametrize("size", ["200k", "600k", "1000k", "1350k", "1540k", "1800k"])
def test_disk_that_is_full_at_any_file_is_one_sentence(
    training: Training, few_data: DataSet, tmp_path: Path, size: str
) -> None:
    out = tmp_path / "disk" / "out"

    def write(folder: Path) -> None:
        write_bundle(
            folder, "digits", training, few_data, "few.npz", h5="x.h5", command="x"
        )

    with small_disk(tmp_path / "disk", size):
        with pytest.raises(WriteFailed) as caught:
            FolderDestination(out).publish(write)
        assert list(out.parent.iterdir()) == []
    assert str(caught.value) == (
        f"{out} cannot be written: No space left on device; make room there, or give"
        " another folder with --fout"
    )
