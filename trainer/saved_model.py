"""Writing of a fitted model into the folder of a TFaaS bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bundle.disk import as_disk_error
from bundle.folder import LABELS, SAVED_MODEL, SIGNATURE
from bundle.manifest import write_manifest
from bundle.model_file import KERAS_MODEL
from bundle.params import Params, Preprocess, write_params
from bundle.sample import FILE_NAME as SAMPLE
from exporter.sources.inference import export_inference
from trainer.data import DataSet
from trainer.report.folder import write_report
from trainer.train import Training

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

# 64 images show a wrong conversion, and take little space beside the weights.
SAMPLE_SIZE = 64


@dataclass(frozen=True)
class Signature:
    """The names of a SavedModel's one input and one output.

    Attributes:
        input_node: the input's name in the signature.
        input_tensor: the graph's tensor behind it, ``operation:0``.
        output_node: the output's name in the signature.
        output_tensor: the graph's tensor behind it.
    """

    input_node: str
    input_tensor: str
    output_node: str
    output_tensor: str


def write_bundle(
    folder: Path,
    name: str,
    training: Training,
    data: DataSet,
    data_name: str,
    h5: str | None = None,
    preprocess: Preprocess | None = None,
    *,
    command: str | None,
) -> None:
    """Write a whole bundle, but no ONNX.

    Args:
        folder: an empty folder.
        name: the model's name.
        training: the fitted model and its measures.
        data: the data set.
        data_name: the data set's name, for the report.
        h5: also write the model as this HDF5 file.
        preprocess: the steps from a picture to the model's input.
        command: the command that trains the model again, for the report. None writes no
            report.

    Raises:
        OSError: the disk refuses a file, even one that TensorFlow or HDF5 writes.
    """
    with _disk_errors():
        export_inference(training.model, folder)
        training.model.save(folder / KERAS_MODEL)
        if h5:
            training.model.save(folder / h5)
    graph = _write_graph(folder)
    signature = _signature(graph)
    write_params(
        folder,
        Params(
            name=name,
            model=SAVED_MODEL,
            labels=LABELS,
            input_name=signature.input_tensor.removesuffix(":0"),
            output_name=signature.output_tensor.removesuffix(":0"),
            input_node=signature.input_node,
            output_node=signature.output_node,
            img_channels=data.image_shape[2],
            description=_description(training, data_name),
            preprocess=preprocess or Preprocess(),
            timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    text = "".join(f"{label}\n" for label in data.labels)
    (folder / LABELS).write_text(text, encoding="utf-8")
    _write_sample(folder, data)
    if command is not None:
        write_report(folder, name, training, data, data_name, command)
    write_manifest(folder)


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn a library's error about a full disk into the disk's own error."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, OSError, RuntimeError) as ex:
        if (error := as_disk_error(ex)) is not None:
            raise error from ex
        raise


def read_signature(folder: Path) -> Signature:
    """Read the names in a SavedModel's serving signature."""
    return _signature(_read_saved_model(folder).meta_graphs[0])


def _write_graph(folder: Path) -> MetaGraphDef:
    """Write the graph as TFaaS's trainer does: as text, and in a file of its own."""
    from google.protobuf import text_format

    saved_model = _read_saved_model(folder)
    text = text_format.MessageToString(saved_model)
    (folder / f"{SAVED_MODEL}txt").write_text(text, encoding="utf-8")
    graph = saved_model.meta_graphs[0]
    (folder / "model.graph").write_bytes(graph.SerializeToString())
    return graph


def _read_saved_model(folder: Path) -> Any:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    return SavedModel.FromString((folder / SAVED_MODEL).read_bytes())


def _signature(graph: MetaGraphDef) -> Signature:
    signature = graph.signature_def[SIGNATURE]
    # The networks here have one input, images, and one output, scores.
    ((input_node, input_tensor),) = signature.inputs.items()
    ((output_node, output_tensor),) = signature.outputs.items()
    return Signature(input_node, input_tensor.name, output_node, output_tensor.name)


def _description(training: Training, data_name: str) -> str:
    epochs = training.settings.epochs
    return (
        f"{training.settings.network_name} trained on {data_name} for {epochs}"
        f" epoch{'s' if epochs > 1 else ''}, test accuracy {training.test_accuracy:.4f}"
    )


def _write_sample(folder: Path, data: DataSet) -> None:
    # Each class gives the same number of images, and at least one, so that none is
    # missing.
    each = max(1, -(-SAMPLE_SIZE // len(data.labels)))
    chosen = np.concatenate(
        [
            np.flatnonzero(data.y_test == number)[:each]
            for number in range(len(data.labels))
        ]
    )
    np.savez_compressed(
        folder / SAMPLE, images=data.x_test[chosen], labels=data.y_test[chosen]
    )
