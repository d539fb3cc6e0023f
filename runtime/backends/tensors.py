"""Checks of named arrays against a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.backends import TensorSpec

# One input of one item (or of a fixed batch) has at most so many numbers: a colour
# picture of 4096 x 4096 has fewer. A model with more would fill the memory at once.
MAX_NUMBERS = 1 << 26


# This length is tried first for an axis that the model leaves free, such as a side.
WARMED_SIDE = 32


def check_names(specs: tuple[TensorSpec, ...], inputs: Mapping[str, object]) -> None:
    """Compare the names of inputs with a model's.

    Raises:
        ShapeError: an input is missing or unknown.
    """
    if len(inputs) == len(specs):
        # This is a loop, because a set of the names takes three times as long.
        for spec in specs:
            if spec.name not in inputs:
                break
        else:
            return
    names = [spec.name for spec in specs]
    if unknown := sorted(inputs.keys() - set(names)):
        raise ShapeError(
            f"the model has no input {unknown[0][:128]!r}; its inputs are"
            f" {', '.join(names)}"
        )
    if missing := [name for name in names if name not in inputs]:
        raise ShapeError(f"input {missing[0]!r} is missing")


def check_inputs(
    specs: tuple[TensorSpec, ...], inputs: Mapping[str, NDArray[Any]]
) -> None:
    """Compare named arrays with a model's inputs.

    Args:
        specs: the model's inputs.
        inputs: arrays of any shape and dtype, by name.

    Raises:
        ShapeError: an array has another shape or dtype than the model takes, or no
            items.
    """
    check_names(specs, inputs)
    for spec in specs:
        array = inputs[spec.name]
        if not _fits(array.shape, spec.shape):
            raise ShapeError(
                f"input {spec.name!r} has shape {shown(array.shape)} and the model"
                f" takes {shown(spec.shape)}"
            )
        if array.dtype != spec.dtype:
            raise ShapeError(
                f"input {spec.name!r} is {array.dtype} and the model takes {spec.dtype}"
            )
        if array.ndim and not array.shape[0]:
            raise ShapeError(f"input {spec.name!r} is an empty batch")


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    # This is a loop, because ``all`` with a generator takes twice as long.
    for got, side in zip(shape, wanted, strict=False):
        if side is not None and got != side:
            return False
    return len(shape) == len(wanted)


def has_free_axes(specs: tuple[TensorSpec, ...]) -> bool:
    """Tell whether an axis other than the batch's has no size of its own."""
    return any(None in spec.shape[1:] for spec in specs)


def shown(shape: tuple[int | None, ...]) -> str:
    """Write a shape for people; ``any`` is a free axis."""
    return f"({', '.join('any' if n is None else str(n) for n in shape)})"
