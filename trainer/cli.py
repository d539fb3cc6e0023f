"""``trainer run``, ``trainer image`` and ``trainer compare``: arguments and exit codes.

The commands import slow modules only after they handle signals. Otherwise a Ctrl-C in
the middle of an import would end in a traceback.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import click

from bundle import __version__
from bundle.objects.address import Place
from bundle.params import MODEL_NAME
from bundle.terminal import Failed, Group, StorePlace
from exporter.arguments import MODELS_DIR, store_of, writable
from trainer.interrupt import Interrupt, Interrupted

# numpy and Keras take no larger seeds.
_MAX_SEED = 2**32 - 1
# The seed is fixed so that a reader of README gets the same weights each time. Any seed
# would do: seeds 1 to 8 give an accuracy of 0.973 to 0.977 after one epoch. This seed
# gives 0.974 after one epoch and 0.992 after 12.
_SEED = 4


class _Group(Group):
    """Ends an interrupted command with 128 plus the signal, as a shell expects."""

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


class _Path(click.Path):
    """A path that must not be empty, because pathlib reads an empty path as ``.``."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        if value == "":
            self.fail("it is empty; is a variable of the shell not set?", param, ctx)
        return super().convert(value, param, ctx)


_FIN = click.option(
    "--fin",
    type=_Path(),
    help="Read the data set from here: an .npz, a mnist.pkl.gz, IDX files, or a folder"
    " of images with one subfolder for each class.  [default: the embedded MNIST]",
)


@main.command()
@_FIN
@click.option(
    "--fout",
    type=_Path(),
    help="Write a flat bundle here.  [default: the next version in the store]",
)
@click.option(
    "--model",
    "name",
    default="mnist",
    show_default=True,
    callback=_checked_name,
    help="Name the model so in the store and in requests.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Go through all training images this many times.",
)
@click.option(
    "--batch-size",
    "--batch_size",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    help="Use this many images in one training step.",
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
    type=StorePlace(),
    metavar="DIR|URL",
    help="Publish the model in this store.  [default: config.json's modelDir]",
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
    epochs: int,
    batch_size: int,
    h5: str | None,
    seed: int,
    models_dir: Place | None,
    no_report: bool,
    no_fit: bool,
    no_onnx: bool,
    verbose: bool,
) -> None:
    """Train a model and write its bundle, with ONNX if the exporter is installed.

    The exit code is 2 if an argument or the data set is wrong. It is 1 if the disk
    refused the bundle, or if the bundle was written and its ONNX failed.
    """
    with Interrupt() as interrupt:
        _import_held(interrupt, "trainer.pipeline")
        from trainer.pipeline import Order, train_and_publish
        from trainer.train import Settings

        settings = Settings(epochs, batch_size, seed, progress_bar=sys.stdout.isatty())
        order = Order(
            fin=fin,
            fout=fout,
            name=name,
            settings=settings,
            h5=h5 and h5.removesuffix(".h5") + ".h5",
            models_dir=models_dir,
            report=not no_report,
            fit=not no_fit,
            onnx=not no_onnx,
            verbose=verbose,
        )
        train_and_publish(order, interrupt)


@main.command()
@_FIN
@click.option("--fout", type=_Path(), required=True, help="Write this PNG file.")
@click.option(
    "--imgid",
    type=int,
    required=True,
    help="Take the training image of this number; the first is 0.",
)
def image(fin: Path | None, fout: Path, imgid: int) -> None:
    """Write one training image as a PNG file."""
    with Interrupt() as interrupt:
        _import_held(interrupt, "trainer.picture")
        from trainer.data import load_dataset
        from trainer.picture import write_png

        data = load_dataset(fin)
        for note in data.notes:
            click.echo(note)
        interrupt.hold()
        label = write_png(data, imgid, fout)
        click.echo(f"wrote image {imgid}, a {label}, to {fout}")


@main.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@MODELS_DIR
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=writable,
    metavar="FILE.html",
    help="Also write the comparison as a page.",
)
def compare(
    first: str, second: str, models_dir: Place | None, as_json: bool, html: Path | None
) -> None:
    """Put two bundles side by side, by the reports of their trainings.

    A and B are models of the store (mnist is its newest version; mnist:3; mnist@stable)
    or folders of bundles. The exit code is 2 if one of them has no report.
    """
    with Interrupt() as interrupt:
        _import_held(interrupt, "trainer.comparison.table")
        from exporter.sources.source import find_path
        from trainer.comparison.comparison import compare as compare_sides
        from trainer.comparison.page import comparison_page
        from trainer.comparison.side import read_side
        from trainer.comparison.table import print_comparison

        store = store_of(models_dir)
        sides = [read_side(given, find_path(given, store)) for given in (first, second)]
        comparison = compare_sides(*sides)
        interrupt.hold()
        if as_json:
            click.echo(json.dumps(comparison.to_json(), indent=2, ensure_ascii=False))
        else:
            print_comparison(comparison)
        if html is not None:
            _write(html, comparison_page(comparison))
            click.echo(f"wrote {html}", err=as_json)


def _write(path: Path, page: str) -> None:
    from bundle.disk import refusal
    from bundle.staging import replace_file

    try:
        replace_file(path, page.encode())
    except OSError as ex:
        why = refusal(ex, "name another file with --html")
        raise Failed(f"{path} cannot be written: {why}") from ex


def _import_held(interrupt: Interrupt, name: str) -> None:
    """Import a whole module, and only then end if a signal came.

    An interrupted import of numpy leaves errors of its own.
    """
    interrupt.run_held(lambda: importlib.import_module(name))
