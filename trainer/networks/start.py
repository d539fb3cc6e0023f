"""The start of a fine-tuning: the network and the weights of another bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bundle.folder import open_bundle
from bundle.model_file import KERAS_MODEL
from bundle.objects.address import Place
from bundle.report import read_metrics
from exporter.sources.keras_file import read_keras
from exporter.sources.source import find_path
from trainer.errors import ArchitectureError
from trainer.samples import Samples, outputs_of
from trainer.tables.dataset import TableSet

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Start:
    """A bundle that a training starts from.

    Attributes:
        shown: the bundle as the user named it.
        file: its Keras model.
        labels: its labels.
        network: the name of its network, as far as its report tells it.
        features: the columns of a table that it takes, in their order.
    """

    shown: str
    file: Path
    labels: tuple[str, ...]
    network: str
    features: tuple[str, ...] = ()


def find_start(given: str, models_dir: Place) -> Start:
    """Find the bundle, without TensorFlow.

    Args:
        given: NAME, NAME:VERSION, NAME@LABEL or a bundle's folder.
        models_dir: the store.

    Raises:
        DomainError: there is no such bundle, or it is broken.
        ArchitectureError: it has no file of Keras.
    """
    path = find_path(given, models_dir)
    if not path.is_dir():
        raise ArchitectureError(
            f"{given} is a file, and --from needs a bundle: a model of the store, or a"
            " bundle's folder"
        )
    bundle = open_bundle(path)
    if not (path / KERAS_MODEL).is_file():
        raise ArchitectureError(
            f"{given} has no {KERAS_MODEL}, from which a training could start; trainer"
            " run writes this file"
        )
    network = (read_metrics(path) or {}).get("network")
    shown = network if isinstance(network, str) else f"the network of {given}"
    features = bundle.params.features
    return Start(given, path / KERAS_MODEL, bundle.labels, shown, features)


def build_start(start: Start, data: Samples) -> keras.Model:
    """Load the model; it gets a new last layer if the labels differ.

    Raises:
        ArchitectureError: the model does not fit the data.
        DomainError: the file is no model of Keras.
    """
    model = read_keras(start.file)
    _check_inputs(model, start, data)
    if start.labels == data.labels and model.outputs[0].shape[-1] == outputs_of(data):
        return model
    click.echo(f"the labels of {start.shown} differ, so the last layer begins anew")
    return _with_new_end(model, start, data)


def _check_inputs(model: Any, start: Start, data: Samples) -> None:
    x = data.x_train
    if isinstance(x, Mapping) and len(x) > 1:
        given = {name: tuple(column.shape[1:]) for name, column in x.items()}
        taken = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
        if given != taken:
            raise ArchitectureError(
                f"{start.shown} takes the columns {', '.join(taken)}, and the table has"
                f" {', '.join(given)}; give a table with the same columns"
            )
        return
    # One input of several columns does not tell their names.
    if isinstance(data, TableSet) and start.features not in ((), data.features):
        raise ArchitectureError(
            f"{start.shown} takes the columns {', '.join(start.features)}, and the"
            f" table has {', '.join(data.features)}; give --features"
            f" {','.join(start.features)}"
        )
    shape = (next(iter(x.values())) if isinstance(x, Mapping) else x).shape[1:]
    inputs = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if inputs != [tuple(shape)]:
        taken_text = " and ".join(" x ".join(map(str, one)) for one in inputs)
        raise ArchitectureError(
            f"{start.shown} takes inputs of {taken_text}, and the data set has"
            f" {' x '.join(map(str, shape))}; give data of the same size"
            + ("" if isinstance(x, Mapping) else ", or bring them to it with --size")
        )


def _with_new_end(model: Any, start: Start, data: Samples) -> keras.Model:
    import keras

    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense):
        raise ArchitectureError(
            f"{start.shown} has other labels and ends in a {type(last).__name__}, so it"
            " cannot get a new last layer; give data with its labels"
        )
    activation = "softmax" if data.task == "classes" else None
    end = keras.layers.Dense(outputs_of(data), activation=activation, name="new_end")
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.input
    return keras.Model(inputs, end(last.input))
