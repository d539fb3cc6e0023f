"""The options that tell of somebody's own model what its file does not."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bundle.errors import BundleError
from bundle.folder import MAX_LABELS_BYTES
from bundle.params_checks import params_from_json

if TYPE_CHECKING:  # --help must not wait for an engine.
    from runtime.bundling.wishes import Wishes


def _labels(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """Read ``--labels a,b,c``, or a file with a label on each line."""
    if value is None:
        return ()
    if "," in value and not Path(value).is_file():
        labels = [label.strip() for label in value.split(",")]
    else:
        try:
            with Path(value).open("rb") as stream:
                text = stream.read(MAX_LABELS_BYTES + 1).decode("utf-8-sig")
        except OSError as ex:
            raise click.BadParameter(
                f"{value} is neither a file nor a list with commas: {ex.strerror}"
            ) from ex
        except UnicodeDecodeError as ex:
            raise click.BadParameter(f"{value} is not a text file in UTF-8") from ex
        labels = text.rstrip().splitlines()
    if not labels or not all(labels):
        raise click.BadParameter(f"{value} must name each class, and none by nothing")
    return tuple(labels)


def _preprocess(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> dict[str, Any]:
    """Read params.json's ``preprocess``, as JSON."""
    if value is None:
        return {}
    try:
        content = json.loads(value)
    except ValueError as ex:
        raise click.BadParameter(
            f"{value!r} is no JSON, such as '{{\"invert\": true}}'"
        ) from ex
    try:
        params_from_json({"name": "checked", "preprocess": content})
    except BundleError as ex:
        raise click.BadParameter(str(ex)) from ex
    return dict(content or {})


def _names(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, ...]:
    parts = (part.strip() for part in (value or "").split(","))
    return tuple(part for part in parts if part)


_WISHES = (
    click.option("--name", default="", help="The model's name.  [default: the file's]"),
    click.option(
        "--labels",
        callback=_labels,
        metavar="A,B,…|FILE",
        help="Name the classes, in the order of the model's answer: with commas, or in"
        " a file with one on each line.",
    ),
    click.option(
        "--channels",
        type=click.Choice(["0", "1", "3"]),
        help="The model takes gray (1) or colour (3) pictures, or none (0).  [default:"
        " by the shape of its input]",
    ),
    click.option(
        "--preprocess",
        callback=_preprocess,
        metavar="JSON",
        help="The steps from a picture to the model's input, as in params.json, such as"
        " '{\"invert\": true}'.",
    ),
    click.option(
        "--signature",
        default="",
        metavar="NAME",
        help="Take this signature of a SavedModel.  [default: serving_default]",
    ),
    click.option(
        "--inputs",
        callback=_names,
        metavar="NODE,…",
        help="The input nodes of a frozen graph.  [default: its placeholder]",
    ),
    click.option(
        "--outputs",
        callback=_names,
        metavar="NODE,…",
        help="The output nodes of a frozen graph.  [default: the one that no other"
        " uses]",
    ),
    click.option(
        "--trust",
        is_flag=True,
        help="Also run operators that reach files and the network. Without this option"
        " they are refused, as in uploads.",
    ),
)


def with_wishes(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options; it gets ``wishes``, a function, and ``trust``.

    The function makes the wishes, so that nothing slow is imported before the command
    runs.
    """

    @functools.wraps(command)
    def wrapped(
        name: str,
        labels: tuple[str, ...],
        channels: str | None,
        preprocess: dict[str, Any],
        signature: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        **given: object,
    ) -> None:
        def wishes() -> Wishes:
            from runtime.bundling.wishes import Wishes

            return Wishes(
                name,
                labels,
                None if channels is None else int(channels),
                preprocess,
                signature,
                inputs,
                outputs,
            )

        command(wishes=wishes, **given)

    for option in reversed(_WISHES):
        wrapped = option(wrapped)
    return wrapped
