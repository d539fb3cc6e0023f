"""The columns of a table that a model takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bundle.errors import ShapeError
from runtime.admin.errors import AdminError
from runtime.models.fitness import check_width, takes_named_values, takes_rows
from runtime.scoring.facts import Facts


def taken_columns(
    file: str, names: Sequence[str], facts: Facts, keep: Sequence[str]
) -> tuple[str, ...]:
    """Return the columns that a model takes, in the order of its input.

    A model with ``features`` takes these, and one whose inputs each take one value
    those of the inputs' names. Any other takes all columns that are not kept, in their
    order.

    Args:
        file: the file's name, for sentences.
        names: the columns of the file.
        facts: the model.
        keep: the columns that are kept.

    Raises:
        AdminError: the model takes no rows, or has another number of values.
    """
    named_values = facts.features
    if not takes_rows(facts.inputs) and takes_named_values(facts.inputs):
        named_values = facts.features or tuple(spec.name for spec in facts.inputs)
    if lacking := [name for name in (*named_values, *keep) if name not in names]:
        shown = ", ".join(map(repr, lacking))
        has = ", ".join(names)
        raise AdminError(f"{file}: the columns {shown} are missing; it has {has}")
    if named_values:
        return named_values
    if not takes_rows(facts.inputs):
        named = ", ".join(spec.name for spec in facts.inputs)
        raise AdminError(f"model {facts.name!r} takes no rows: its inputs are {named}")
    taken = tuple(name for name in names if name not in keep)
    if len(set(taken)) < len(taken):
        twice = next(name for name in taken if taken.count(name) > 1)
        raise AdminError(f"{file}: the column {twice!r} is there twice")
    try:
        check_width(facts.inputs[0], len(taken))
    except ShapeError as ex:
        advice = (
            "name the columns that are no values with --keep, or the model's own in"
            " params.json's 'features'"
        )
        if facts.img_channels and file.lower().endswith(".csv"):
            advice += "; in a list of pictures, the column of their paths is 'path'"
        raise AdminError(f"{file}: {ex}; {advice}") from ex
    return taken


def item_shape(facts: Facts, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that an item has in the model's input, its first axis left out.

    Args:
        facts: the model.
        shape: the shape of an item of the file.

    Raises:
        ShapeError: the model takes no such item.
    """
    if len(facts.inputs) != 1 or facts.inputs[0].dtype.kind not in "fiu":
        named = ", ".join(spec.name for spec in facts.inputs)
        raise ShapeError(
            f"model {facts.name!r} takes no single array of numbers: its inputs are"
            f" {named}"
        )
    (spec,) = facts.inputs
    item = spec.shape[1:]
    if len(item) == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(item, shape, strict=True)
    ):
        return shape
    if not takes_rows(facts.inputs):
        raise ShapeError(f"an item has the shape {shape} and the model takes {item}")
    width = math.prod(shape)
    check_width(spec, width)
    known = math.prod(length for length in item if length is not None)
    return tuple(width // known if length is None else length for length in item)
