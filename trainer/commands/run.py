"""``trainer run``: its options, and the order that is made of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bundle.objects.address import Place
from bundle.terminal import StorePlace, WrongInput
from trainer.commands.options import FIN, SEED, GivenPath, checked_name, import_held
from trainer.interrupt import Interrupt

if TYPE_CHECKING:  # they import numpy
    from trainer.fleet import Fleet
    from trainer.samples import Task

# numpy and Keras take no larger seeds.
_MAX_SEED = 2**32 - 1
# A side of a picture; a larger one would not fit into memory.
_MAX_SIDE = 4096
_MEGABYTE = 1_000_000


def _size(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read ``64`` or ``48x64``, a height and a width."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)(?:x(\d+))?", value)
    sides = tuple(int(side) for side in found.groups() if side) if found else ()
    if not sides or not all(1 <= side <= _MAX_SIDE for side in sides):
        raise click.BadParameter(
            f"{value!r} must be one number of pixels, such as 64, or height and width,"
            f" such as 48x64, each from 1 to {_MAX_SIDE}"
        )
    return sides[0], sides[-1]


def _names(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """Read ``a,b,c``, the names of columns."""
    if value is None:
        return ()
    names = tuple(name.strip() for name in value.split(","))
    if not all(names):
        raise click.BadParameter(
            f"{value!r} must be names of columns with commas between them"
        )
    return names


def _fleet(
    workers: int | None, address: str | None, cpus: int | None, storage: str | None
) -> Fleet | None:
    """Return the workers that were asked for.

    Raises:
        WrongInput: an option of Ray was given without the number of workers.
    """
    from trainer.fleet import OPTION, Fleet

    if workers is None:
        # The address may come from $RAY_ADDRESS, which is set for other programs.
        for name, value in (
            ("--ray-cpus-per-worker", cpus),
            ("--ray-storage", storage),
        ):
            if value is not None:
                raise WrongInput(f"{name} needs {OPTION}, the number of workers")
        return None
    return Fleet(workers, cpus or 1, address or None, storage)


@click.command()
@FIN
@click.option(
    "--fout",
    type=GivenPath(),
    help="Write a flat bundle here.  [default: the next version in the store]",
)
@click.option(
    "--model",
    "name",
    default="mnist",
    show_default=True,
    callback=checked_name,
    help="Name the model so in the store and in requests.",
)
@click.option(
    "--also",
    type=GivenPath(),
    multiple=True,
    help="Train on these data, too, such as a folder of feedback; may be given several"
    " times. They are not tested on.",
)
@click.option(
    "--size",
    callback=_size,
    metavar="H[xW]",
    help="Bring all pictures to this height and width.  [default: the most common"
    " size]",
)
@click.option("--label", metavar="COLUMN", help="Learn this column of a table.")
@click.option(
    "--weight", metavar="COLUMN", help="Weigh the rows of a table by this column."
)
@click.option(
    "--features",
    callback=_names,
    metavar="A,B,…",
    help="Learn from these columns of a table, in this order.  [default: all others]",
)
@click.option(
    "--categorical",
    callback=_names,
    metavar="A,B,…",
    help="Take the numbers in these columns of a table for names of categories.",
)
@click.option(
    "--task",
    type=click.Choice(["classes", "regression"]),
    help="Take the label of a table for this.  [default: what it looks like]",
)
@click.option(
    "--memory",
    type=click.IntRange(1),
    metavar="MB",
    help="Hold at most so many megabytes of images in memory, and the rest on disk.",
)
@click.option(
    "--recipe",
    type=click.Choice(["quick", "best"]),
    default="quick",
    show_default=True,
    help="quick takes one epoch, or ten of a table; best takes minutes, augments"
    " images, and lets the learning rate fall.",
)
@click.option(
    "--arch",
    metavar="NAME",
    help="The network: cnn, vgg-small, resnet-small or mobilenet for images, mlp for"
    " tables, or FILE.py:FUNCTION of your own.  [default: the recipe's]",
)
@click.option(
    "--from",
    "start",
    metavar="MODEL",
    help="Start from the weights of this model: NAME, NAME:VERSION, NAME@LABEL or a"
    " bundle's folder.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="Go through all training data this many times.  [default: 1 for images,"
    " 10 for tables; best: 12 for images, 20 for tables]",
)
@click.option(
    "--batch-size",
    "--batch_size",
    type=click.IntRange(1),
    help="Use this many images or rows in one training step.  [default: 128]",
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    metavar="N",
    help="End early when the validation loss has not fallen in N epochs, and take the"
    " weights of the best epoch.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "mixed"]),
    help="mixed computes in 16 bits during the training.  [default: float32; best on"
    " images: mixed where the processor is faster so]",
)
@click.option(
    "--tune",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Try N settings in short trainings first, and take the best.",
)
@click.option(
    "--resume", is_flag=True, help="Go on from the checkpoint of this command."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check everything, measure a few steps, say how long it will take, and write"
    " nothing.",
)
@click.option(
    "--tensorboard",
    type=GivenPath(),
    metavar="FOLDER",
    help="Write the figures of each epoch here for TensorBoard.",
)
@click.option(
    "--h5",
    metavar="NAME",
    callback=checked_name,
    help="Also write the model as NAME.h5.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, _MAX_SEED),
    default=SEED,
    show_default=True,
    help="The same seed on the same machine gives the same weights.",
)
@click.option(
    "--models-dir",
    type=StorePlace(),
    metavar="DIR|URL",
    help="Publish the model in this store.  [default: config.json's modelDir]",
)
@click.option(
    "--ray-workers",
    type=click.IntRange(1),
    metavar="N",
    help="Let N workers of Ray train together, each on its share of every batch.",
)
@click.option(
    "--ray-address",
    metavar="HOST:PORT",
    envvar="RAY_ADDRESS",
    show_envvar=True,
    help="Take the workers from this cluster.  [default: Ray on this machine, for this"
    " training alone]",
)
@click.option(
    "--ray-cpus-per-worker",
    type=click.IntRange(1),
    metavar="N",
    help="Give each worker N processors.  [default: 1]",
)
@click.option(
    "--ray-storage",
    metavar="DIR|URL",
    help="Keep the checkpoints of the workers here: a folder that all machines share,"
    " or a bucket such as s3://bucket/prefix.  [default: beside the bundle's place]",
)
@click.option("--no-report", is_flag=True, help="Write no report of the training.")
@click.option(
    "--no-fit",
    is_flag=True,
    help="Do not let the service bring drawn and photographed digits to MNIST's form.",
)
@click.option("--no-onnx", is_flag=True, help="Do not convert to ONNX.")
@click.option("-v", "--verbose", is_flag=True, help="Show TensorFlow's messages.")
def run(
    fin: Path | None,
    fout: Path | None,
    name: str,
    also: tuple[Path, ...],
    memory: int | None,
    h5: str | None,
    no_report: bool,
    no_fit: bool,
    no_onnx: bool,
    size: tuple[int, int] | None,
    label: str | None,
    weight: str | None,
    features: tuple[str, ...],
    categorical: tuple[str, ...],
    task: Task | None,
    tune: int,
    resume: bool,
    dry_run: bool,
    tensorboard: Path | None,
    models_dir: Place | None,
    ray_workers: int | None,
    ray_address: str | None,
    ray_cpus_per_worker: int | None,
    ray_storage: str | None,
    verbose: bool,
    **choices: Any,
) -> None:
    """Train a model and write its bundle, with ONNX if the exporter is installed.

    The exit code is 2 if an argument or the data set is wrong. It is 1 if the disk
    refused the bundle, or if the bundle was written and its ONNX failed.
    """
    with Interrupt() as interrupt:
        import_held(interrupt, "trainer.pipeline")
        from trainer.order import Order
        from trainer.pipeline import train_and_publish
        from trainer.recipes import Choices

        order = Order(
            fin=fin,
            fout=fout,
            name=name,
            choices=Choices(**choices),
            size=size,
            label=label,
            weight=weight,
            features=features,
            categorical=categorical,
            task=task,
            also=also,
            memory=memory and memory * _MEGABYTE,
            tune=tune,
            resume=resume,
            dry_run=dry_run,
            tensorboard=tensorboard,
            h5=h5 and h5.removesuffix(".h5") + ".h5",
            models_dir=models_dir,
            fleet=_fleet(ray_workers, ray_address, ray_cpus_per_worker, ray_storage),
            report=not no_report,
            fit=not no_fit,
            onnx=not no_onnx,
            progress_bar=sys.stdout.isatty(),
            verbose=verbose,
        )
        train_and_publish(order, interrupt)
