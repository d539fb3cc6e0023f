"""``trainer run`` and ``trainer image``: arguments, exit codes, what is printed.

TensorFlow is imported by ``run`` alone, and only when everything that can be refused
without it has been looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bundle import __version__
from bundle.params import MODEL_NAME
from bundle.terminal import Failed, Group
from trainer.conversion import add_onnx, exporter_is_installed
from trainer.data import EMBEDDED, DataSet, load_dataset
from trainer.destination import Destination, FolderDestination, StoreDestination
from trainer.engine import check_engine, import_engine
from trainer.interrupt import Interrupt, Interrupted
from trainer.networks import check_image_shape
from trainer.picture import write_png
from trainer.saved_model import read_signature, write_bundle
from trainer.train import Settings, train

# numpy and Keras take no larger ones.
_MAX_SEED = 2**32 - 1
# Fixed, so that who follows README gets the same weights twice. Any would do: seeds 1
# to 8 give 0.973 to 0.977 after one epoch; this one gives 0.974, and 0.992 after 12.
_SEED = 4


class _Group(Group):
    """Ends a command that was interrupted as a shell expects: 128 and the signal."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Interrupted as ex:
            click.echo("interrupted; nothing was written", err=True)
            ctx.exit(128 + ex.number)


@click.group(cls=_Group)
@click.version_option(__version__, prog_name="trainer")
def main() -> None:
    """Train image models, and write them as TFaaS bundles."""


def _checked_name(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    if value is not None and not MODEL_NAME.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} must be 1 to 128 letters, digits, '_', '-' or '.', and not"
            " begin with '-' or '.'"
        )
    return value


_FIN = click.option(
    "--fin",
    type=click.Path(path_type=Path),
    help="Data set: .npz, mnist.pkl.gz, IDX files, or a folder of images with one"
    " subfolder a class.  [default: the embedded MNIST]",
)


@main.command()
@_FIN
@click.option(
    "--fout",
    type=click.Path(path_type=Path),
    help="Write a flat bundle here.  [default: the next version in the store]",
)
@click.option(
    "--model",
    "name",
    default="mnist",
    show_default=True,
    callback=_checked_name,
    help="The model's name.",
)
@click.option("--epochs", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--batch-size",
    "--batch_size",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    help="Images a training step.",
)
@click.option(
    "--h5",
    metavar="NAME",
    callback=_checked_name,
    help="Also write the model as NAME.h5.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, _MAX_SEED),
    default=_SEED,
    show_default=True,
    help="The same seed on the same machine gives the same weights.",
)
@click.option(
    "--models-dir",
    type=click.Path(path_type=Path),
    help="The store.  [default: config.json's modelDir]",
)
@click.option("--no-onnx", is_flag=True, help="Do not convert to ONNX.")
@click.option("-v", "--verbose", is_flag=True, help="Let TensorFlow speak.")
def run(
    fin: Path | None,
    fout: Path | None,
    name: str,
    epochs: int,
    batch_size: int,
    h5: str | None,
    seed: int,
    models_dir: Path | None,
    no_onnx: bool,
    verbose: bool,
) -> None:
    """Train a model and write its bundle, with ONNX where the exporter is installed.

    Exits 2 if something given is wrong, 1 if the bundle was written and its ONNX could
    not be.
    """
    # What the exporter's command line calls the bundle.
    if fout is not None:
        destination: Destination = FolderDestination(fout)
        reference = str(fout)
    else:
        destination = StoreDestination(models_dir or _default_store())
        reference = f"{name} --models-dir {models_dir}" if models_dir else name
    why_no_onnx: str | None = None
    with Interrupt() as interrupt:
        check_engine()
        replaces = destination.check()
        data = load_dataset(fin)
        check_image_shape(data.image_shape)
        if replaces:
            click.echo(f"replacing the bundle in {fout}")
        _print_data(data)
        # Broken off in the middle of its import TensorFlow may crash the process.
        interrupt.run_held(lambda: import_engine(verbose))
        click.echo(f"seed: {seed}")
        settings = Settings(epochs, batch_size, seed, progress_bar=sys.stdout.isatty())
        training = train(data, settings, interrupt.check)
        click.echo(f"Test loss: {training.test_loss}")
        click.echo(f"Test accuracy: {training.test_accuracy}")
        convert = not no_onnx and exporter_is_installed()

        def write(folder: Path) -> None:
            nonlocal why_no_onnx
            h5_name = h5 and h5.removesuffix(".h5") + ".h5"
            write_bundle(folder, name, training, data, (fin or EMBEDDED).name, h5_name)
            if convert:
                why_no_onnx = add_onnx(folder, verbose)
            interrupt.check()
            # From here to the end is less than a second, and what is said of it must
            # be true: a bundle that is in its place was written.
            interrupt.hold()

        path = destination.publish(write)
        signature = read_signature(path)
        click.echo(f"saved model to {path}")
        click.echo(f"### input {[signature.input_tensor]}")
        click.echo(f"### output {[signature.output_tensor]}")
    if why_no_onnx is not None:
        raise Failed(f"the bundle was written without ONNX: {why_no_onnx}")
    if not convert and not no_onnx:
        click.echo(
            "ONNX was not added: install it with pip install 'tfaas-onnx[export]'"
            f" and run: exporter convert {reference}"
        )


@main.command()
@_FIN
@click.option("--fout", type=click.Path(path_type=Path), required=True, help="PNG.")
@click.option(
    "--imgid", type=int, required=True, help="Number of the training image, from 0."
)
def image(fin: Path | None, fout: Path, imgid: int) -> None:
    """Write one training image as a PNG file."""
    label = write_png(load_dataset(fin), imgid, fout)
    click.echo(f"wrote image {imgid}, a {label}, to {fout}")


def _default_store() -> Path:
    # The service's own file says where the store is, so that it finds the model.
    from runtime.config import load_config

    return load_config().model_dir


def _print_data(data: DataSet) -> None:
    click.echo(f"x_train shape: {data.x_train.shape}")
    click.echo(f"{len(data.x_train)} train samples")
    click.echo(f"{len(data.x_test)} test samples")
