"""Checks of named arrays against a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bundle.errors import ShapeError

if TYPE_CHECKING:
    pass
from runtime.backends import TensorSpec

# Of one input of one item, or of a fixed batch: a 4096 x 4096 picture in colour has
# fewer. What claims more would take the service's memory at its first run.
MAX_NUMBERS = 1 << 26


# What is tried for an axis that the model leaves free; of an image it is a side.
WARMED_SIDE = 32


def check_names(specs: tuple[TensorSpec, ...], inputs: Mapping[str, object]) -> None:
    """Compare the names of inputs with a model's.

    Raises:
        ShapeError: an input is missing or unknown.
    """
    names = [spec.name for spec in specs]
    if inputs.keys() == set(names):
        return
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

    Raises:
        ShapeError: names what was expected and what came.
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
    # A loop: on every request ``all`` of a generator takes twice as long.
    for got, side in zip(shape, wanted, strict=False):
        if side is not None and got != side:
            return False
    return len(shape) == len(wanted)


def has_free_axes(specs: tuple[TensorSpec, ...]) -> bool:
    """Whether an axis besides the batch has no size of its own."""
    return any(None in spec.shape[1:] for spec in specs)


def shown(shape: tuple[int | None, ...]) -> str:
    """A shape for people; ``any`` is a free axis."""
    return f"({', '.join('any' if n is None else str(n) for n in shape)})"
