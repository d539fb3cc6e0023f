"""``exporter convert NAME|PATH``: add a proved model.onnx."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from bundle import __version__
from bundle.errors import ModelNotFound
from bundle.terminal import Failed, Group
from exporter.errors import ExportError, ParityFailed, VariantRefused
from exporter.options import OPSET, OPSETS, Options


@click.group(cls=Group)
@click.version_option(__version__, prog_name="exporter")
def main() -> None:
    """Convert TensorFlow models to ONNX, and prove that both answer alike."""


@main.command()
@click.argument("model", metavar="NAME|PATH")
@click.option(
    "--models-dir",
    type=click.Path(path_type=Path),
    help="The store in which NAME is looked up.  [default: config.json's modelDir]",
)
@click.option(
    "--fp16", is_flag=True, help="Also write model.fp16.onnx, half precision for CUDA."
)
@click.option(
    "--quantize",
    type=click.Choice(["int8"]),
    help="Also write model.int8.onnx, for CPUs.",
)
@click.option(
    "--calibration",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Images, or arrays, that int8 takes its ranges from.  [default: the bundle's"
    " sample]",
)
@click.option(
    "--inputs-as-nchw",
    metavar="NAMES",
    default="",
    help="Inputs, parted by commas, that the ONNX takes as (N, C, H, W).",
)
@click.option(
    "--opset",
    type=click.Choice([str(opset) for opset in OPSETS]),
    default=str(OPSET),
    show_default=True,
    help="Of the ONNX that is written.",
)
@click.option("-v", "--verbose", is_flag=True, help="Let TensorFlow and tf2onnx speak.")
def convert(
    model: str,
    models_dir: Path | None,
    fp16: bool,
    quantize: str | None,
    calibration: Path | None,
    inputs_as_nchw: str,
    opset: str,
    verbose: bool,
) -> None:
    """Add model.onnx and parity.json to the newest version of a stored model.

    PATH may be a bundle, of a SavedModel or a frozen graph, or any SavedModel's
    folder. Exits 1 if the model cannot be converted or answers otherwise than in
    TensorFlow, or if a variant was refused, 2 if there is no such model.
    """
    if importlib.util.find_spec("tf2onnx") is None:
        raise Failed(
            "converting needs tf2onnx, which is not installed; install the extra"
            " 'export' (README, Installing)"
        )
    # Here, where Ctrl-C is handled: numpy alone takes a moment.
    from bundle.folder import ONNX
    from bundle.parity import read_parity
    from bundle.variants import onnx_file
    from exporter.export import export
    from exporter.table import print_table, print_trial

    options = Options(
        opset=int(opset),
        inputs_as_nchw=tuple(name for name in inputs_as_nchw.split(",") if name),
        fp16=fp16,
        int8=quantize == "int8",
        calibration=calibration,
        verbose=verbose,
    )
    try:
        folder = _find(model, models_dir)
        click.echo(f"converting {folder}")
        parity, refused = export(folder, options), None
    except ParityFailed as ex:
        print_table(ex.parity)
        raise Failed(str(ex)) from ex
    except VariantRefused as ex:
        parity, refused = ex.parity, ex
    except ExportError as ex:
        raise Failed(f"{ex}; the service answers with TensorFlow") from ex
    print_table(parity)
    click.echo(f"wrote {folder / ONNX}")
    for variant in options.variants:
        if proved := read_parity(folder, variant):
            print_trial(variant, proved)
            click.echo(f"wrote {folder / onnx_file(variant)}")
    if refused:
        raise Failed(str(refused)) from refused


def _find(model: str, models_dir: Path | None) -> Path:
    """A stored model's newest version; if there is none of this name, a path."""
    from bundle.store import ModelStore
    from runtime.config import load_config

    store = ModelStore(models_dir or load_config().model_dir)
    try:
        return store.newest(model).path
    except ModelNotFound:
        if Path(model).is_dir():
            return Path(model)
    raise ModelNotFound(
        f"there is no model {model!r} in {store.root}/ and no folder of this name;"
        f" the store has {', '.join(store.names()) or 'none'}"
    )
