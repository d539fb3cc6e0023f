"""The steps of ``trainer run``: read a data set, fit a model, publish a bundle.

Each step prints its result. TensorFlow is imported only after every check that does not
need it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import click

from bundle.objects.address import Place
from bundle.params import Preprocess
from bundle.terminal import Failed
from trainer.conversion import Conversion
from trainer.data import EMBEDDED, DataSet, load_dataset
from trainer.destination import Destination, FolderDestination, StoreDestination
from trainer.engine import check_engine, import_engine
from trainer.form import preprocess_of
from trainer.interrupt import Interrupt
from trainer.networks import check_image_shape
from trainer.saved_model import read_signature, write_bundle
from trainer.train import Settings, Training, train


@dataclass(frozen=True)
class Order:
    """The arguments of ``trainer run``.

    Attributes:
        fin: the data set; None is the embedded MNIST.
        fout: a flat bundle's folder; None is the store's next version.
        name: the model's name.
        h5: also write the model as this HDF5 file.
        models_dir: the store; None is the store that config.json names.
        report: write a report of the training.
        fit: let the service bring pictures to MNIST's form, if the images have it.
        onnx: convert to ONNX if the exporter is installed.
        verbose: show TensorFlow's messages.
    """

    fin: Path | None
    fout: Path | None
    name: str
    settings: Settings
    h5: str | None
    models_dir: Place | None
    report: bool
    fit: bool
    onnx: bool
    verbose: bool

    @property
    def reference(self) -> str:
        """The arguments that name the bundle on the exporter's command line."""
        if self.fout is not None:
            return str(self.fout)
        if self.models_dir is not None:
            return f"{self.name} --models-dir {self.models_dir}"
        return self.name

    @property
    def command(self) -> str:
        """The command that trains the model again, in the folder of the data set.

        It names no folders, because a report is shown to people who have others.
        """
        data = ["--fin", self.fin.name] if self.fin else []
        settings = self.settings
        return shlex.join(
            [
                *("trainer", "run", *data, "--model", self.name),
                *("--epochs", str(settings.epochs)),
                *("--batch-size", str(settings.batch_size)),
                *("--seed", str(settings.seed)),
            ]
        )


def train_and_publish(order: Order, interrupt: Interrupt) -> None:
    """Do all steps.

    Raises:
        DomainError: an argument or the data set is wrong; nothing was written.
        WriteFailed: the disk refused the bundle; nothing was written.
        Failed: the bundle was written, and its ONNX failed.
    """
    destination = _destination(order)
    data = _prepare(order, destination)
    # TensorFlow may crash the process if its import is interrupted.
    interrupt.run_held(lambda: import_engine(order.verbose))
    training = _train(data, order.settings, interrupt)
    conversion = Conversion(order.onnx, order.verbose)
    _publish(order, data, training, conversion, destination, interrupt)
    if conversion.failure is not None:
        raise Failed(f"the bundle was written without ONNX: {conversion.failure}")
    if conversion.exporter_missing:
        click.echo(
            "ONNX was not added: install the extra 'export' (docs/installing.md)"
            f" and run: exporter convert {order.reference}"
        )


def _destination(order: Order) -> Destination:
    if order.fout is not None:
        return FolderDestination(order.fout)
    # config.json is the service's own file, so the service finds the model.
    from runtime.config import load_config

    config = load_config()
    return StoreDestination(order.models_dir or config.model_dir, config.keep_versions)


def _prepare(order: Order, destination: Destination) -> DataSet:
    """Check everything that can be checked before the training, and read the data."""
    check_engine()
    replaces = destination.check()
    data = load_dataset(order.fin)
    check_image_shape(data.image_shape)
    if replaces:
        click.echo(f"replacing the bundle in {order.fout}")
    for note in data.notes:
        click.echo(note)
    click.echo(f"x_train shape: {data.x_train.shape}")
    click.echo(f"{len(data.x_train)} train samples")
    click.echo(f"{len(data.x_test)} test samples")
    return data


def _train(data: DataSet, settings: Settings, interrupt: Interrupt) -> Training:
    click.echo(f"seed: {settings.seed}")
    # TensorFlow's C code calls Python and does not check for exceptions, so one inside
    # may cause a segmentation fault. So the exception is raised between two steps.
    training = interrupt.run_held(lambda: train(data, settings, interrupt.check))
    click.echo(f"Test loss: {training.test_loss}")
    click.echo(f"Test accuracy: {training.test_accuracy}")
    return training


def _publish(
    order: Order,
    data: DataSet,
    training: Training,
    conversion: Conversion,
    destination: Destination,
    interrupt: Interrupt,
) -> None:
    data_name = (order.fin or EMBEDDED).name
    preprocess = preprocess_of(data) if order.fit else Preprocess()

    def write(folder: Path) -> None:
        interrupt.run_held(
            lambda: write_bundle(
                folder,
                order.name,
                training,
                data,
                data_name,
                order.h5,
                preprocess,
                command=order.command if order.report else None,
            )
        )
        conversion.add_to(folder)
        interrupt.check()
        # The rest takes less than a second. It is not interrupted, because after it
        # "nothing was written" would be false.
        interrupt.hold()

    path = destination.publish(write)
    signature = read_signature(path)
    click.echo(f"saved model to {path}")
    click.echo(f"### input {[signature.input_tensor]}")
    click.echo(f"### output {[signature.output_tensor]}")
