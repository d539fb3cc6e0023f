"""The steps of ``trainer run``: read a data set, fit a model, publish a bundle.

Each step prints its result. TensorFlow is imported only after every check that does not
need it.
"""

from __future__ import annotations

from pathlib import Path

import click

from bundle.params import Preprocess
from bundle.terminal import Failed
from trainer.conversion import Conversion
from trainer.data import EMBEDDED, DataSet, load_dataset
from trainer.destination import Destination, FolderDestination, StoreDestination
from trainer.engine import check_engine, import_engine
from trainer.errors import DataError
from trainer.form import preprocess_of
from trainer.interrupt import Interrupt
from trainer.networks.sizes import check_image_shape, check_table_network
from trainer.order import Order
from trainer.recipes import network_of, settings_of
from trainer.saved_model import read_signature, write_bundle
from trainer.settings import Settings
from trainer.tables.dataset import TableSet, load_table
from trainer.tables.opening import is_table
from trainer.tables.wishes import Wishes
from trainer.train import Training, train


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
    settings = settings_of(order.choices, data, progress_bar=order.progress_bar)
    training = _train(data, settings, interrupt)
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


def _prepare(order: Order, destination: Destination) -> DataSet | TableSet:
    """Check everything that can be checked before the training, and read the data."""
    check_engine()
    replaces = destination.check()
    data = _read(order)
    if replaces:
        click.echo(f"replacing the bundle in {order.fout}")
    for note in data.notes:
        click.echo(note)
    if isinstance(data, TableSet):
        click.echo(f"features: {', '.join(data.features)}")
    else:
        click.echo(f"x_train shape: {data.x_train.shape}")
    click.echo(f"{len(data.y_train)} train samples")
    click.echo(f"{len(data.y_test)} test samples")
    return data


def _read(order: Order) -> DataSet | TableSet:
    if order.fin is not None and is_table(order.fin):
        check_table_network(order.choices.arch)
        return load_table(order.fin, order.wishes, order.choices.seed, order.also)
    data = load_dataset(order.fin)
    if order.wishes != Wishes():
        raise DataError(
            f"{order.fin or EMBEDDED} holds images; --label, --weight, --features,"
            " --categorical and --task are for tables"
        )
    check_image_shape(data.image_shape, network_of(order.choices, data))
    return data


def _train(
    data: DataSet | TableSet, settings: Settings, interrupt: Interrupt
) -> Training:
    click.echo(f"seed: {settings.seed}")
    # TensorFlow's C code calls Python and does not check for exceptions, so one inside
    # may cause a segmentation fault. So the exception is raised between two steps.
    training = interrupt.run_held(lambda: train(data, settings, interrupt.check))
    click.echo(f"Test loss: {training.test_loss}")
    if training.test_accuracy is not None:
        click.echo(f"Test accuracy: {training.test_accuracy}")
    else:
        click.echo(f"Test mean absolute error: {training.test_error}")
    return training


def _publish(
    order: Order,
    data: DataSet | TableSet,
    training: Training,
    conversion: Conversion,
    destination: Destination,
    interrupt: Interrupt,
) -> None:
    data_name = (order.fin or EMBEDDED).name
    preprocess = Preprocess()
    if order.fit and isinstance(data, DataSet):
        preprocess = preprocess_of(data)

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
                command=order.command(training.settings) if order.report else None,
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
    click.echo(f"### input {[*signature.inputs.values()]}")
    click.echo(f"### output {[signature.output_tensor]}")
