"""Arguments and options that several commands of ``exporter`` share."""

from __future__ import annotations

import functools
import importlib.util
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click

from bundle.objects.address import Place
from bundle.terminal import Failed, StorePlace
from runtime.config import Walls, variable

_GIB = 1 << 30


def names(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Read ``--inputs a,b --inputs c`` as a, b, c."""
    parts = (part.strip() for text in value for part in text.split(","))
    return tuple(part for part in parts if part)


def _ranges(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, float, float], ...]:
    """Read ``--range ids=0:999`` as ids, 0, 999."""
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
    """Read ``--shape x=N,3`` as x, (None, 3)."""
    shapes = []
    for text in value:
        name, _, sides = text.rpartition("=")
        parts = [part.strip() for part in sides.split(",")]
        if not name or not all(
            part == "N" or (part.isascii() and part.isdigit() and int(part))
            for part in parts
        ):
            raise click.BadParameter(
                f"{text!r} is not INPUT=LENGTH,…, such as x=N,3, where N is an axis"
                " that stays free"
            )
        shapes.append((name, tuple(None if p == "N" else int(p) for p in parts)))
    return tuple(shapes)


def writable(
    ctx: click.Context, param: click.Parameter, value: Path | None
) -> Path | None:
    """Check before the work that the file can be written after it."""
    if value is not None and not os.access(value.parent, os.W_OK | os.X_OK):
        raise click.BadParameter(f"{value.parent} is no folder that can be written")
    return value


MODELS_DIR = click.option(
    "--models-dir",
    type=StorePlace(),
    metavar="DIR|URL",
    help="Look NAME up in this store.  [default: config.json's modelDir]",
)
_SOURCE = (
    click.argument("model", metavar="MODEL"),
    MODELS_DIR,
    click.option(
        "--signature",
        default="",
        metavar="NAME",
        help="Use this signature of a SavedModel that has several.  [default:"
        " serving_default]",
    ),
    click.option(
        "--inputs",
        multiple=True,
        callback=names,
        metavar="NODE,…",
        help="The input nodes of a frozen graph without params.json.",
    ),
    click.option(
        "--outputs",
        multiple=True,
        callback=names,
        metavar="NODE,…",
        help="The output nodes of a frozen graph without params.json.",
    ),
    click.option(
        "--range",
        "declared",
        multiple=True,
        callback=_ranges,
        metavar="INPUT=LOW:HIGH",
        help="Draw the numbers of this input from LOW to HIGH, both included."
        "  [default: params.json's ranges; an embedding's rows; else a unit normal"
        " distribution, or 0 and 1]",
    ),
    click.option(
        "--trust",
        "trusted",
        is_flag=True,
        help="Run all operators of MODEL, also those that reach files and the network."
        " Without this option they are refused, as in uploads.",
    ),
    click.option(
        "--shape",
        "shapes",
        multiple=True,
        callback=_shapes,
        metavar="INPUT=N,LENGTH,…",
        help="Give an input this shape, if its signature leaves axes free that the"
        " model does not; N is an axis that stays free.  [default: found by trying]",
    ),
)
# These two are not read from config.json. The working folder may be somebody else's,
# and so may its config.json.
WALLS = (
    click.option(
        "--walls",
        type=click.Choice(get_args(Walls)),
        default="auto",
        show_default=True,
        envvar=variable("walls"),
        help="Put walls of the kernel around the work: auto builds those that the"
        " kernel has, require refuses to work without all of them, off builds none.",
    ),
    click.option(
        "--run-as-user",
        default="",
        envvar=variable("run_as_user"),
        metavar="USER",
        help="Do the work as this user, if root starts the command.",
    ),
)
_LIMITS = (
    click.option(
        "--time-limit",
        type=click.IntRange(min=1),
        default=3600,
        show_default=True,
        metavar="SECONDS",
        help="End the work after so many seconds.",
    ),
    click.option(
        "--no-time-limit",
        is_flag=True,
        help="Set no limit of time. This is for programs that end the command"
        " themselves when it takes too long, as the service does.",
    ),
    click.option(
        "--memory-limit",
        type=click.FloatRange(min=0, min_open=True),
        metavar="GIB",
        help="End the work if it takes more memory.  [default: none]",
    ),
    *WALLS,
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Show the output of TensorFlow and tf2onnx.",
    ),
)


def on_source(command: Callable[..., None]) -> Callable[..., None]:
    """Add MODEL and the shared options; the command gets ``source`` and ``limits``."""

    @functools.wraps(command)
    def wrapped(
        model: str,
        models_dir: Place | None,
        signature: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        declared: tuple[tuple[str, float, float], ...],
        trusted: bool,
        shapes: tuple[tuple[str, tuple[int | None, ...]], ...],
        time_limit: int,
        no_time_limit: bool,
        memory_limit: float | None,
        walls: Walls,
        run_as_user: str,
        **given: object,
    ) -> None:
        if importlib.util.find_spec("tf2onnx") is None:
            raise Failed(
                "this needs tf2onnx, which is not installed; install the extra"
                " 'export' (docs/installing.md)"
            )
        # These imports stand here, where Ctrl-C is handled, because numpy alone takes a
        # moment to import.
        from exporter.child.run import Limits
        from exporter.sources.source import find_source

        source = find_source(
            model,
            store_of(models_dir),
            signature=signature,
            inputs=inputs,
            outputs=outputs,
            declared=declared,
            trusted=trusted,
            shapes=shapes,
        )
        memory = None if memory_limit is None else int(memory_limit * _GIB)
        seconds = None if no_time_limit else time_limit
        command(source, Limits(seconds, memory, walls, run_as_user), **given)

    for option in reversed((*_SOURCE, *_LIMITS)):
        wrapped = option(wrapped)
    return wrapped


def store_of(models_dir: Place | None) -> Place:
    """Return the store that was given, or the store of config.json."""
    from runtime.config import load_config

    return models_dir or load_config().model_dir
