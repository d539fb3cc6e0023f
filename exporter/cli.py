"""``exporter convert NAME|PATH``: add a proved model.onnx."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from bundle import __version__
from bundle.errors import ModelNotFound
from bundle.terminal import Failed, Group
from exporter.errors import ExportError, ParityFailed


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
@click.option("-v", "--verbose", is_flag=True, help="Let TensorFlow and tf2onnx speak.")
def convert(model: str, models_dir: Path | None, verbose: bool) -> None:
    """Add model.onnx and parity.json to the newest version of a stored model.

    PATH may be a bundle, of a SavedModel or a frozen graph, or any SavedModel's
    folder. Exits 1 if the model cannot be converted or answers otherwise than in
    TensorFlow, 2 if there is no such model.
    """
    if importlib.util.find_spec("tf2onnx") is None:
        raise Failed(
            "converting needs tf2onnx, which is not installed; install the extra"
            " 'export' (README, Installing)"
        )
    # Here, where Ctrl-C is handled: numpy alone takes a moment.
    from bundle.folder import ONNX
    from exporter.export import export
    from exporter.table import print_table

    try:
        folder = _find(model, models_dir)
        click.echo(f"converting {folder}")
        parity = export(folder, verbose=verbose)
    except ParityFailed as ex:
        print_table(ex.parity)
        raise Failed(str(ex)) from ex
    except ExportError as ex:
        raise Failed(f"{ex}; the service answers with TensorFlow") from ex
    print_table(parity)
    click.echo(f"wrote {folder / ONNX}")


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
