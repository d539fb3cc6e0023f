"""Writing of a fitted model into the folder of a TFaaS bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from bundle.params import Params, Preprocess
from bundle.params_file import write_params
from bundle.sample import FILE_NAME as SAMPLE
from exporter.sources.inference import export_inference
from trainer.data import DataSet
from trainer.report.folder import write_report
from trainer.tables.dataset import TableSet
from trainer.tables.sample import ranges_of, write_rows
from trainer.train import Training

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

# 64 images show a wrong conversion, and take little space beside the weights.
SAMPLE_SIZE = 64


@dataclass(frozen=True)
class Signature:
    """The names of a SavedModel's inputs and of its one output.

    Attributes:
        inputs: the graph's tensor, ``operation:0``, behind each input of the signature,
            by the input's name.
        output_node: the output's name in the signature.
        output_tensor: the graph's tensor behind it.
    """

    inputs: Mapping[str, str]
    output_node: str
    output_tensor: str

    @property
    def only_input(self) -> tuple[str, str]:
        """The name and the tensor of the one input; empty texts if there are more."""
        if len(self.inputs) > 1:
            return "", ""
        ((node, tensor),) = self.inputs.items()
        return node, tensor


def write_bundle(
    folder: Path,
    name: str,
    training: Training,
    data: DataSet | TableSet,
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
    input_node, input_tensor = signature.only_input
    table = data if isinstance(data, TableSet) else None
    write_params(
        folder,
        Params(
            name=name,
            model=SAVED_MODEL,
            labels=LABELS if data.labels else "",
            input_name=input_tensor.removesuffix(":0"),
            output_name=signature.output_tensor.removesuffix(":0"),
            input_node=input_node,
            output_node=signature.output_node,
            img_channels=_channels(data),
            features=table.features if table else (),
            ranges=ranges_of(table) if table else {},
            description=_description(training, data_name),
            preprocess=preprocess or Preprocess(),
            timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    if data.labels:
        text = "".join(f"{label}\n" for label in data.labels)
        (folder / LABELS).write_text(text, encoding="utf-8")
    if isinstance(data, TableSet):
        write_rows(folder, data)
    else:
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
    # The networks here have one output, scores.
    ((output_node, output_tensor),) = signature.outputs.items()
    inputs = {name: tensor.name for name, tensor in signature.inputs.items()}
    return Signature(inputs, output_node, output_tensor.name)


def _channels(data: DataSet | TableSet) -> int:
    return 0 if isinstance(data, TableSet) else data.image_shape[2]


def _description(training: Training, data_name: str) -> str:
    epochs = training.epochs
    if training.test_accuracy is not None:
        measured = f"test accuracy {training.test_accuracy:.4f}"
    else:
        measured = f"mean absolute error {training.test_error:.4g} on the test rows"
    return (
        f"{training.settings.network_name} trained on {data_name} for {epochs}"
        f" epoch{'s' if epochs > 1 else ''}, {measured}"
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
