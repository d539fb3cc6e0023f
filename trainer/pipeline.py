"""The steps of ``trainer run``: read a data set, fit a model, publish a bundle.

Each step prints its result. TensorFlow is imported only after every check that does not
need it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundle.objects.address import Place, cache_of
from bundle.params import Preprocess
from bundle.terminal import Failed
from trainer.also import with_also
from trainer.augmentation import AUGMENTATIONS
from trainer.checkpoint import Checkpoints
from trainer.conversion import Conversion
from trainer.data import EMBEDDED, DataSet, load_dataset
from trainer.destination import Destination, FolderDestination, StoreDestination
from trainer.engine import check_engine, import_engine
from trainer.errors import CheckpointError, DataError, SettingsError
from trainer.event_log import make_event_folder
from trainer.fleet import OPTION
from trainer.form import preprocess_of
from trainer.interrupt import Interrupt, Interrupted
from trainer.networks.build import check_network
from trainer.networks.own import is_own, own_file
from trainer.networks.sizes import check_image_shape, check_table_network
from trainer.networks.start import Start, find_start
from trainer.order import Order
from trainer.recipes import batch_size_of, epochs_of, network_of, settings_of
from trainer.rehearsal import rehearse
from trainer.saved import Saved
from trainer.saved_model import read_signature, write_bundle
from trainer.search import check_search
from trainer.settings import Settings
from trainer.tables.dataset import TableSet, load_table
from trainer.tables.opening import is_table
from trainer.tables.wishes import Wishes
from trainer.train import Training, train

if TYPE_CHECKING:  # it needs the extra `cluster`
    from trainer.ray.run import RayTraining


def train_and_publish(order: Order, interrupt: Interrupt) -> None:
    """Do all steps.

    Raises:
        DomainError: an argument or the data set is wrong; nothing was written.
        WriteFailed: the disk refused the bundle; nothing was written.
        Failed: the bundle was written, and its ONNX failed.
    """
    place = _place(order)
    start = _check(order, place)
    data, how = _prepare(order, place)
    if order.tensorboard is not None and not order.dry_run:
        make_event_folder(order.tensorboard)
    if order.fleet is not None:
        # Workers on GPUs would compute other bits, and were never tried.
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # TensorFlow may crash the process if its import is interrupted.
    interrupt.run_held(lambda: import_engine(order.verbose))
    settings = settings_of(
        order.choices, data, start=start, progress_bar=order.progress_bar
    )
    if order.fleet is not None:
        settings = replace(settings, workers=order.fleet.workers)
    trials = order.tune or (len(AUGMENTATIONS) if settings.augmentation is None else 0)
    if order.dry_run:
        interrupt.run_held(
            lambda: rehearse(data, settings, trials, start, interrupt.check)
        )
        return
    checkpoints = None
    # A single epoch leaves nothing to go on from.
    if settings.epochs > 1 or trials or order.resume or order.fleet is not None:
        checkpoints = _checkpoints(order, place, data, start)
    saved = _saved(order, checkpoints)
    conversion = Conversion(order.onnx, order.verbose)
    try:
        training = _train(data, settings, order, interrupt, start, checkpoints, saved)
        _publish(order, data, how, training, conversion, place.destination, interrupt)
    except Interrupted as ex:
        if left := _left(checkpoints):
            ex.advice = (
                f" but a checkpoint after {left.point}; the same command with"
                " --resume goes on from it"
            )
        raise
    if checkpoints is not None:
        checkpoints.remove()
    if conversion.failure is not None:
        raise Failed(f"the bundle was written without ONNX: {conversion.failure}")
    if conversion.exporter_missing:
        click.echo(
            "ONNX was not added: install the extra 'export' (docs/installing.md)"
            f" and run: exporter convert {order.reference}"
        )


@dataclass(frozen=True)
class _Place:
    """The place of the new bundle, and the store in which other bundles lie.

    Attributes:
        destination: publishes the bundle.
        folder: the folder that will hold it, or the copy of the object store on this
            machine; checkpoints lie there, too.
        name: its name there.
        store: the store.
    """

    destination: Destination
    folder: Path
    name: str
    store: Place


def _place(order: Order) -> _Place:
    # config.json is the service's own file, so the service finds the model.
    from runtime.config import load_config

    if order.fout is not None:
        # A folder needs no configuration, unless the training starts from the store.
        store = order.models_dir
        if store is None and order.choices.start is not None:
            store = load_config().model_dir
        path = order.fout.resolve()
        return _Place(
            FolderDestination(order.fout), path.parent, path.name, store or Path()
        )
    config = load_config()
    store = order.models_dir or config.model_dir
    destination = StoreDestination(store, config.keep_versions)
    folder = store if isinstance(store, Path) else cache_of(store)
    return _Place(destination, folder, order.name, store)


def _check(order: Order, place: _Place) -> Start | None:
    """Check the options that need no data set.

    Returns:
        The bundle that the training starts from; None if there is none.
    """
    check_engine()
    choices = order.choices
    if order.fleet is not None:
        from runtime.ray.cluster import require_ray

        require_ray(OPTION)
    if order.tune:
        check_search()
    if choices.arch is not None:
        if choices.start is not None:
            raise SettingsError(
                "--from has a network of its own; leave --arch or --from out"
            )
        check_network(choices.arch)
    return find_start(choices.start, place.store) if choices.start else None


def _prepare(order: Order, place: _Place) -> tuple[DataSet | TableSet, Preprocess]:
    """Check the destination, and read the data.

    Returns:
        The data, and the steps from a picture to the model's input.
    """
    replaces = place.destination.check()
    data, how = _read(order)
    epochs, patience = epochs_of(order.choices, data), order.choices.patience
    if patience and patience >= epochs:
        raise SettingsError(
            f"--patience {patience} never ends a training of {epochs}"
            f" epoch{'s' if epochs > 1 else ''}; give a smaller number, or more"
            " --epochs"
        )
    if order.fleet is not None:
        order.fleet.check(data, batch_size_of(order.choices))
    if replaces and not order.dry_run:
        click.echo(f"replacing the bundle in {order.fout}")
    for note in data.notes:
        click.echo(note)
    if isinstance(data, TableSet):
        click.echo(f"features: {', '.join(data.features)}")
    else:
        click.echo(f"x_train shape: {data.x_train.shape}")
    click.echo(f"{len(data.y_train)} train samples")
    click.echo(f"{len(data.y_test)} test samples")
    return data, how


def _read(order: Order) -> tuple[DataSet | TableSet, Preprocess]:
    named = order.wishes != Wishes()
    if order.fin is not None and is_table(order.fin, named=named):
        check_table_network(order.choices.arch)
        if order.size or order.memory:
            raise SettingsError(
                f"{order.fin} holds a table; --size and --memory are for images, so"
                " leave them out"
            )
        if order.choices.precision == "mixed":
            raise SettingsError(
                "--precision mixed is for images, because 16 bits cannot tell near"
                " numbers of a table apart; leave it out"
            )
        table = load_table(order.fin, order.wishes, order.choices.seed, order.also)
        return table, Preprocess()
    for_tables = (order.weight, order.features, order.categorical, order.task)
    if any(for_tables):
        raise DataError(
            f"{order.fin or EMBEDDED} holds images; --weight, --features, --categorical"
            " and --task are for tables"
        )
    data = load_dataset(
        order.fin,
        size=order.size,
        seed=order.choices.seed,
        label=order.label,
        max_bytes=order.memory,
    )
    if order.choices.start is None:
        check_image_shape(data.image_shape, network_of(order.choices, data))
    # The images of --also are brought to this form, and have no part in its choice.
    how = preprocess_of(data) if order.fit else Preprocess()
    for path in order.also:
        data = with_also(data, path, how, label=order.label, max_bytes=order.memory)
    return data, how


def _checkpoints(
    order: Order, place: _Place, data: DataSet | TableSet, start: Start | None
) -> Checkpoints:
    files = [start.file] if start else []
    if order.choices.arch is not None and is_own(order.choices.arch):
        files.append(own_file(order.choices.arch))
    given = (place.folder, place.name, order.deciding, data, tuple(files))
    if order.fleet is None:
        return Checkpoints(*given)
    from trainer.ray.checkpoints import RayCheckpoints

    return RayCheckpoints(*given, storage=order.fleet.storage)


def _remote(
    order: Order, checkpoints: Checkpoints | None, data: DataSet | TableSet
) -> RayTraining | None:
    """Make the training by the workers of Ray, if it is asked for."""
    if order.fleet is None:
        return None
    from trainer.ray.checkpoints import RayCheckpoints
    from trainer.ray.run import RayTraining

    assert isinstance(checkpoints, RayCheckpoints)
    if not order.resume:
        # Workers go on from whatever lies there.
        checkpoints.storage.remove()
    return RayTraining(
        order.fleet, checkpoints.storage, order.deciding, data, order.verbose
    )


def _saved(order: Order, checkpoints: Checkpoints | None) -> Saved | None:
    """Read the checkpoint to go on from, if it is asked for."""
    if checkpoints is None:
        return None
    if order.resume:
        return checkpoints.need()
    if left := _left(checkpoints):
        click.echo(
            f"a checkpoint of this training is there: --resume would go on after"
            f" {left.point}; now the training begins anew"
        )
    return None


def _left(checkpoints: Checkpoints | None) -> Saved | None:
    """Read the checkpoint that is there; None if it is damaged."""
    with suppress(CheckpointError):
        return checkpoints.find() if checkpoints is not None else None
    return None


def _train(
    data: DataSet | TableSet,
    settings: Settings,
    order: Order,
    interrupt: Interrupt,
    start: Start | None,
    checkpoints: Checkpoints | None,
    saved: Saved | None,
) -> Training:
    click.echo(f"seed: {settings.seed}")
    # TensorFlow's C code calls Python and does not check for exceptions, so one inside
    # may cause a segmentation fault. So the exception is raised between two steps.
    training = interrupt.run_held(
        lambda: train(
            data,
            settings,
            interrupt.check,
            tune=order.tune,
            start=start,
            checkpoints=checkpoints,
            saved=saved,
            events=order.tensorboard,
            remote=_remote(order, checkpoints, data),
        )
    )
    click.echo(f"Test loss: {training.test_loss}")
    if training.test_accuracy is not None:
        click.echo(f"Test accuracy: {training.test_accuracy}")
    else:
        click.echo(f"Test mean absolute error: {training.test_error}")
    return training


def _publish(
    order: Order,
    data: DataSet | TableSet,
    how: Preprocess,
    training: Training,
    conversion: Conversion,
    destination: Destination,
    interrupt: Interrupt,
) -> None:
    data_name = (order.fin or EMBEDDED).name

    def write(folder: Path) -> None:
        interrupt.run_held(
            lambda: write_bundle(
                folder,
                order.name,
                training,
                data,
                data_name,
                order.h5,
                how,
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
    click.echo(f"saved model to {destination.told(path)}")
    click.echo(f"### input {sorted(signature.inputs.values())}")
    click.echo(f"### output {[signature.output_tensor]}")
