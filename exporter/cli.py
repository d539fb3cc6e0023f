"""``exporter convert|save|verify|bench|inspect MODEL``."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bundle import __version__
from bundle.objects.address import Place
from bundle.terminal import Failed, Group, printable
from exporter.arguments import MODELS_DIR, WALLS, names, on_source, store_of, writable
from exporter.errors import (
    DrawsNumbers,
    ExportError,
    NotDrawn,
    ParityFailed,
    VariantRefused,
)
from exporter.options import OPSET, OPSETS, Options
from exporter.reports.outcome import told_as_json
from runtime.config import Walls

if TYPE_CHECKING:  # --help must not wait for numpy or an engine.
    from numpy.typing import NDArray

    from exporter.child.run import Limits
    from exporter.sources.source import Source


@click.group(cls=Group)
@click.version_option(__version__, prog_name="exporter")
def main() -> None:
    """Convert TensorFlow and Keras models to ONNX, and prove that both answer alike.

    MODEL is a model of the store (mnist is its newest version; mnist:3; mnist@stable),
    a bundle, a SavedModel's folder, a .keras or .h5 file, or a frozen graph (.pb). The
    exit code is 1 if the work failed, and 2 if the command or the model is wrong.
    """


@contextmanager
def _work() -> Iterator[None]:
    """Turn an ExportError into its sentence and exit code 1."""
    try:
        yield
    except ExportError as ex:
        raise Failed(printable(str(ex))) from ex


@main.command()
@told_as_json
@on_source
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.onnx|DIR",
    help="Write the ONNX here.  [default: model.onnx beside the source]",
)
@click.option(
    "--opset",
    type=click.Choice([str(opset) for opset in OPSETS]),
    default=str(OPSET),
    show_default=True,
    help="Use this version of ONNX's operators.",
)
@click.option(
    "--inputs-as-nchw",
    multiple=True,
    callback=names,
    metavar="NAME,…",
    help="Let the ONNX take these inputs as (N, C, H, W).",
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
    "--no-latency",
    is_flag=True,
    help="Do not measure the latency for the report of a bundle that has one.",
)
@click.option(
    "--calibration",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take the ranges of int8 from these images or arrays, and try variants on"
    " them.  [default: the bundle's sample]",
)
def convert(
    source: Source,
    limits: Limits,
    output: Path | None,
    opset: str,
    inputs_as_nchw: tuple[str, ...],
    fp16: bool,
    quantize: str | None,
    no_latency: bool,
    calibration: Path | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """Add model.onnx, and parity.json that proves it.

    If the model cannot be converted, if the ONNX answers differently from TensorFlow,
    or if a variant is refused, the exit code is 1, and the service serves nothing that
    was not proved.

    \b
    Exit codes:
      0          model.onnx was written and proved.
      1          The model was refused, the work failed, or a limit ended it.
      2          Something that was given is wrong.
      130, 143   Ctrl-C or SIGTERM ended the command.

    \b
    With --json, the last line of standard output is an object with two fields:
      outcome    converted, refused, failed (the work crashed, or a disk refused
                 it), too_slow (--time-limit) or too_large (--memory-limit)
      reason     a sentence; empty for converted

    A command prints no such line if a signal ended it, if it crashed, or if its
    options are wrong.
    """  # noqa: D301 click leaves the lines after a backspace as they are
    from exporter.destination import beside, destination_of
    from exporter.export import export
    from exporter.reports.progress import progress
    from exporter.reports.section import add_section, has_report
    from exporter.reports.table import print_table, print_trial
    from exporter.sources.source import share

    if calibration and not (quantize or fp16):
        raise click.UsageError("--calibration needs --quantize or --fp16")
    destination = destination_of(source, output)
    # The report of a bundle is about the ONNX in this bundle, and about no other.
    has_section = destination == beside(source) and has_report(source.folder)
    options = Options(
        opset=int(opset),
        inputs_as_nchw=inputs_as_nchw,
        fp16=fp16,
        int8=quantize == "int8",
        calibration=calibration,
        latency=has_section and not no_latency,
        verbose=verbose,
    )
    if not as_json:
        click.echo(f"converting {source.given}")
    refused: VariantRefused | None = None
    try:
        with progress() as tell:
            parity = export(
                source, options, destination=destination, limits=limits, tell=tell
            )
    except ParityFailed as ex:
        if not as_json:
            print_table(ex.parity)
        raise Failed(str(ex)) from ex
    except VariantRefused as ex:
        parity, refused = ex.parity, ex
    except ExportError as ex:
        # The service serves every kind of source but Keras files. A model that took
        # none of the tried inputs was never seen to answer, and a model that draws
        # numbers at random gives another answer each time, so neither gets the promise.
        is_served = source.kind != "keras" and not isinstance(
            ex, DrawsNumbers | NotDrawn
        )
        serves = "; TensorFlow will serve this model" if is_served else ""
        raise Failed(printable(f"{ex}{serves}")) from ex
    if has_section and (warning := add_section(source.folder)):
        click.echo(warning, err=True)
    share(source)
    if not as_json:
        print_table(parity)
        click.echo(f"wrote {destination.model}")
        for variant in options.variants:
            place = destination.of_variant(variant)
            if place.model.is_file() and (proof := place.read_proof()):
                print_trial(variant, proof)
                click.echo(f"wrote {place.model}")
    if refused:
        raise Failed(printable(str(refused))) from refused


@main.command()
@told_as_json
@on_source
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Write the SavedModel into this new or empty folder.",
)
def save(
    source: Source, limits: Limits, output: Path, verbose: bool, as_json: bool
) -> None:
    """Write a .keras or .h5 file as a SavedModel, which TensorFlow can serve.

    No code in the file is run. The SavedModel answers as model.predict does. With
    --json, the last line of standard output is that of 'exporter convert'.
    """
    from exporter.reports.progress import progress
    from exporter.save import save as write

    with _work(), progress() as tell:
        write(source, output, limits=limits, tell=tell, verbose=verbose)
    if not as_json:
        click.echo(f"wrote {output}")


_ONNX = click.option(
    "--onnx",
    type=click.Path(path_type=Path),
    metavar="FILE.onnx|DIR",
    help="Use this ONNX.  [default: model.onnx beside the source]",
)


@main.command()
@on_source
@_ONNX
@click.option(
    "--worst",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=writable,
    metavar="FILE.npz",
    help="Write the batch with the largest difference, and both answers.",
)
def verify(
    source: Source,
    limits: Limits,
    onnx: Path | None,
    worst: Path | None,
    verbose: bool,
) -> None:
    """Compare a model with its ONNX again, with the packages that are installed here.

    The bundle is not changed. The exit code is 1 if the two answer differently, or if a
    file is not the one that was proved.
    """
    from exporter.destination import destination_of
    from exporter.reports.progress import progress
    from exporter.reports.table import print_table
    from exporter.verify import verify as compare_anew

    with _work():
        with progress() as tell:
            verdict = compare_anew(
                source,
                destination_of(source, onnx),
                limits=limits,
                tell=tell,
                verbose=verbose,
            )
        print_table(verdict.parity)
        if worst is not None:
            _save(worst, verdict.worst)
        if verdict.faults:
            raise Failed(printable("; ".join(verdict.faults)))
        click.echo(
            "the ONNX is the one that was proved, and answers as TensorFlow does"
        )


def _save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    import numpy as np

    from bundle.disk import refusal
    from bundle.staging import replace_file

    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    try:
        replace_file(path, content.getvalue())
    except OSError as ex:
        why = refusal(ex, "name another file with --worst")
        raise Failed(f"{path} cannot be written: {why}") from ex
    click.echo(f"wrote {path}")


@main.command()
@on_source
@_ONNX
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=writable,
    metavar="FILE.png",
    help="Also draw a picture: items a second by batch size.",
)
def bench(
    source: Source, limits: Limits, onnx: Path | None, plot: Path | None, verbose: bool
) -> None:
    """Time TensorFlow and ONNX Runtime side by side.

    Both run on the CPU, at batch sizes 1 to 128, on one thread and on all.
    """
    from exporter.bench import bench as time_both
    from exporter.destination import destination_of
    from exporter.reports.progress import progress
    from exporter.reports.table import print_timings

    with _work():
        with progress() as tell:
            timings = time_both(
                source,
                destination_of(source, onnx),
                limits=limits,
                tell=tell,
                verbose=verbose,
            )
        print_timings(timings)
        if plot is not None:
            from exporter.reports.plot import plot as draw

            draw(timings, source.name, plot)
            click.echo(f"wrote {plot}")


@main.command()
@click.argument("model", metavar="MODEL|FILE.onnx")
@MODELS_DIR
@WALLS[0]
@WALLS[1]
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(
    model: str,
    models_dir: Place | None,
    walls: Walls,
    run_as_user: str,
    as_json: bool,
) -> None:
    """Show inputs, outputs, operators, size, parameters and FLOPs of an ONNX."""
    if importlib.util.find_spec("onnx") is None:
        raise Failed(
            "inspecting needs onnx, which is not installed; install the extra 'export'"
            " (docs/installing.md)"
        )
    from bundle.folder import ONNX
    from exporter.child.run import Limits
    from exporter.destination import Destination
    from exporter.reports.inspect import inspect_in_child
    from exporter.reports.table import print_inspection
    from exporter.sources.source import find_path

    path = find_path(model, store_of(models_dir))
    file = path / ONNX if path.is_dir() else path
    with _work():
        Destination(file).check_there()
        found = inspect_in_child(file, Limits(walls=walls, user=run_as_user))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_inspection(found)
