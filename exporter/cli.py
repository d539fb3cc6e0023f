"""``exporter convert|verify|bench|inspect MODEL``."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from bundle import __version__
from bundle.terminal import Failed, Group, printable
from exporter.errors import (
    DrawsNumbers,
    ExportError,
    NotDrawn,
    ParityFailed,
    VariantRefused,
)
from exporter.options import OPSET, OPSETS, Options
from runtime.config import Walls, variable

if TYPE_CHECKING:  # Here, --help waits neither for numpy nor for an engine.
    from numpy.typing import NDArray

    from exporter.child import Limits
    from exporter.source import Source

_GIB = 1 << 30


@click.group(cls=Group)
@click.version_option(__version__, prog_name="exporter")
def main() -> None:
    """Convert TensorFlow and Keras models to ONNX, and prove that both answer alike.

    MODEL is a model of the store (mnist, its newest version; mnist:3; mnist@stable), a
    bundle, a SavedModel's folder, a .keras or .h5 file, or a frozen graph (.pb). Exits
    1 if the work failed, 2 if what was given is wrong.
    """


def _names(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """``--inputs a,b --inputs c`` as a, b, c."""
    parts = (part.strip() for text in value for part in text.split(","))
    return tuple(part for part in parts if part)


def _ranges(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, float, float], ...]:
    """``--range ids=0:999`` as ids, 0, 999."""
    ranges = []
    for text in value:
        name, _, numbers = text.rpartition("=")
        low, _, high = numbers.partition(":")
        try:
            ranges.append((name, float(low), float(high)))
            if not name or not -math.inf < float(low) <= float(high) < math.inf:
                raise ValueError
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is not INPUT=LOW:HIGH, such as ids=0:999"
            ) from None
    return tuple(ranges)


def _shapes(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, tuple[int | None, ...]], ...]:
    """``--shape x=N,3`` as x, (None, 3)."""
    shapes = []
    for text in value:
        name, _, sides = text.rpartition("=")
        parts = [part.strip() for part in sides.split(",")]
        if not name or not all(
            part == "N" or (part.isascii() and part.isdigit() and int(part))
            for part in parts
        ):
            raise click.BadParameter(
                f"{text!r} is not INPUT=LENGTH,…, such as x=N,3, N for an axis that"
                " stays free"
            )
        shapes.append((name, tuple(None if p == "N" else int(p) for p in parts)))
    return tuple(shapes)


def _place(
    ctx: click.Context, param: click.Parameter, value: Path | None
) -> Path | None:
    """See before the work that a file can be written after it."""
    if value is not None and not os.access(value.parent, os.W_OK | os.X_OK):
        raise click.BadParameter(f"{value.parent} is no folder that can be written")
    return value


_MODELS_DIR = click.option(
    "--models-dir",
    type=click.Path(path_type=Path),
    help="The store in which NAME is looked up.  [default: config.json's modelDir]",
)
_SOURCE = (
    click.argument("model", metavar="MODEL"),
    _MODELS_DIR,
    click.option(
        "--signature",
        default="",
        metavar="NAME",
        help="Of a SavedModel with several.  [default: serving_default]",
    ),
    click.option(
        "--inputs",
        multiple=True,
        callback=_names,
        metavar="NODE,…",
        help="Of a frozen graph without params.json.",
    ),
    click.option(
        "--outputs",
        multiple=True,
        callback=_names,
        metavar="NODE,…",
        help="Of a frozen graph without params.json.",
    ),
    click.option(
        "--range",
        "declared",
        multiple=True,
        callback=_ranges,
        metavar="INPUT=LOW:HIGH",
        help="Between which numbers an input is drawn, ends included.  [default:"
        " params.json's ranges; an embedding's rows; else a unit normal, 0 and 1]",
    ),
    click.option(
        "--trust",
        "trusted",
        is_flag=True,
        help="Run whatever operators MODEL has: those that reach files and the network,"
        " too. Without it they are refused, as in uploads.",
    ),
    click.option(
        "--shape",
        "shapes",
        multiple=True,
        callback=_shapes,
        metavar="INPUT=N,LENGTH,…",
        help="The shape of an input whose signature leaves axes free that the model"
        " does not; N stays free.  [default: found by trying]",
    ),
)
# Not of config.json: the one in the working folder may be somebody else's, as the model
# may that lies beside it.
_WALLS = (
    click.option(
        "--walls",
        type=click.Choice(get_args(Walls)),
        default="auto",
        show_default=True,
        envvar=variable("walls"),
        help="The kernel's around the work: as it has them, all or none, or off.",
    ),
    click.option(
        "--run-as-user",
        default="",
        envvar=variable("run_as_user"),
        metavar="USER",
        help="Who does the work, where root asks for it.",
    ),
)
_LIMITS = (
    click.option(
        "--time-limit",
        type=click.IntRange(min=1),
        default=3600,
        show_default=True,
        metavar="SECONDS",
        help="End the work then.",
    ),
    click.option(
        "--memory-limit",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GIB",
        help="End the work where it takes more.  [default: none]",
    ),
    *_WALLS,
    click.option(
        "-v", "--verbose", is_flag=True, help="Let TensorFlow and tf2onnx speak."
    ),
)


def _on_source(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command MODEL as ``source``, and ``limits``, of the options they need."""

    @functools.wraps(command)
    def wrapped(
        model: str,
        models_dir: Path | None,
        signature: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        declared: tuple[tuple[str, float, float], ...],
        trusted: bool,
        shapes: tuple[tuple[str, tuple[int | None, ...]], ...],
        time_limit: int,
        memory_limit: float | None,
        walls: Walls,
        run_as_user: str,
        **given: object,
    ) -> None:
        if importlib.util.find_spec("tf2onnx") is None:
            raise Failed(
                "this needs tf2onnx, which is not installed; install the extra"
                " 'export' (README, Installing)"
            )
        # Here, where Ctrl-C is handled: numpy alone takes a moment.
        from exporter.child import Limits
        from exporter.source import find_source

        source = find_source(
            model,
            _store(models_dir),
            signature=signature,
            inputs=inputs,
            outputs=outputs,
            declared=declared,
            trusted=trusted,
            shapes=shapes,
        )
        memory = None if memory_limit is None else int(memory_limit * _GIB)
        command(source, Limits(time_limit, memory, walls, run_as_user), **given)

    for option in reversed((*_SOURCE, *_LIMITS)):
        wrapped = option(wrapped)
    return wrapped


def _store(models_dir: Path | None) -> Path:
    from runtime.config import load_config

    return models_dir or load_config().model_dir


@contextmanager
def _work() -> Iterator[None]:
    """What cannot be done becomes its sentence, and exit code 1."""
    try:
        yield
    except ExportError as ex:
        raise Failed(printable(str(ex))) from ex


@main.command()
@_on_source
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.onnx|DIR",
    help="Where it goes.  [default: model.onnx beside the source]",
)
@click.option(
    "--opset",
    type=click.Choice([str(opset) for opset in OPSETS]),
    default=str(OPSET),
    show_default=True,
    help="The version of ONNX's operators.",
)
@click.option(
    "--inputs-as-nchw",
    multiple=True,
    callback=_names,
    metavar="NAME,…",
    help="Inputs that the ONNX is to take as (N, C, H, W).",
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
    help="Images, or arrays, that int8 takes its ranges from, and variants are tried"
    " on.  [default: the bundle's sample]",
)
def convert(
    source: Source,
    limits: Limits,
    output: Path | None,
    opset: str,
    inputs_as_nchw: tuple[str, ...],
    fp16: bool,
    quantize: str | None,
    calibration: Path | None,
    verbose: bool,
) -> None:
    """Add model.onnx, and parity.json that proves it.

    If the model cannot be converted or answers otherwise than in TensorFlow, or if a
    variant is refused, it exits 1 and nothing is served that was not proved.
    """
    from exporter.destination import destination_of
    from exporter.export import export
    from exporter.progress import progress
    from exporter.table import print_table, print_trial

    if calibration and not (quantize or fp16):
        raise click.UsageError("--calibration is of use with --quantize or --fp16")
    options = Options(
        opset=int(opset),
        inputs_as_nchw=inputs_as_nchw,
        fp16=fp16,
        int8=quantize == "int8",
        calibration=calibration,
        verbose=verbose,
    )
    destination = destination_of(source, output)
    click.echo(f"converting {source.given}")
    refused: VariantRefused | None = None
    try:
        with progress() as tell:
            parity = export(
                source, options, destination=destination, limits=limits, tell=tell
            )
    except ParityFailed as ex:
        print_table(ex.parity)
        raise Failed(str(ex)) from ex
    except VariantRefused as ex:
        parity, refused = ex.parity, ex
    except ExportError as ex:
        # A Keras file is served by nobody; the others are TensorFlow's own. One that
        # takes nothing that was tried was not seen to answer, and one that draws
        # numbers is served, but not well.
        is_served = source.kind != "keras" and not isinstance(
            ex, DrawsNumbers | NotDrawn
        )
        serves = "; TensorFlow will serve this model" if is_served else ""
        raise Failed(printable(f"{ex}{serves}")) from ex
    print_table(parity)
    click.echo(f"wrote {destination.model}")
    for variant in options.variants:
        place = destination.of_variant(variant)
        if place.model.is_file() and (proof := place.read_proof()):
            print_trial(variant, proof)
            click.echo(f"wrote {place.model}")
    if refused:
        raise Failed(printable(str(refused)))


_ONNX = click.option(
    "--onnx",
    type=click.Path(path_type=Path),
    metavar="FILE.onnx|DIR",
    help="The ONNX.  [default: model.onnx beside the source]",
)


@main.command()
@_on_source
@_ONNX
@click.option(
    "--worst",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_place,
    metavar="FILE.npz",
    help="Write the batch that came out worst, and what both answered.",
)
def verify(
    source: Source,
    limits: Limits,
    onnx: Path | None,
    worst: Path | None,
    verbose: bool,
) -> None:
    """Compare a model with its ONNX anew: here, with what is installed here.

    The bundle is not changed. Exits 1 if they answer otherwise, or if a file is not the
    one that was written and proved.
    """
    from exporter.destination import destination_of
    from exporter.progress import progress
    from exporter.table import print_table
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
        click.echo("the ONNX is the one that was proved, and answers as TensorFlow")


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
@_on_source
@_ONNX
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_place,
    metavar="FILE.png",
    help="Also draw items a second over the batch size.",
)
def bench(
    source: Source, limits: Limits, onnx: Path | None, plot: Path | None, verbose: bool
) -> None:
    """Time TensorFlow and ONNX Runtime side by side.

    On the CPU, at batch sizes 1 to 128, on one thread and on all.
    """
    from exporter.bench import bench as time_both
    from exporter.destination import destination_of
    from exporter.progress import progress
    from exporter.table import print_timings

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
            from exporter.plot import plot as draw

            draw(timings, source.name, plot)
            click.echo(f"wrote {plot}")


@main.command()
@click.argument("model", metavar="MODEL|FILE.onnx")
@_MODELS_DIR
@_WALLS[0]
@_WALLS[1]
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(
    model: str,
    models_dir: Path | None,
    walls: Walls,
    run_as_user: str,
    as_json: bool,
) -> None:
    """Show inputs, outputs, operators, size, parameters and FLOPs of an ONNX."""
    if importlib.util.find_spec("onnx") is None:
        raise Failed(
            "inspecting needs onnx, which is not installed; install the extra 'export'"
            " (README, Installing)"
        )
    from bundle.folder import ONNX
    from exporter.child import Limits
    from exporter.inspect import inspect_in_child
    from exporter.source import find_path
    from exporter.table import print_inspection

    path = find_path(model, _store(models_dir))
    file = path / ONNX if path.is_dir() else path
    with _work():
        found = inspect_in_child(file, Limits(walls=walls, user=run_as_user))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_inspection(found)
