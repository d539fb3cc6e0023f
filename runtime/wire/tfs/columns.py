"""From the values of a request to the arrays of a model's inputs."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.prediction.inputs import Nested, flatten, to_array
from runtime.wire.tfs.base64_object import is_base64, text_of

Specs = tuple[TensorSpec, ...]


def is_named(value: object) -> bool:
    """Tell whether a value is an object of inputs by name, and no bytes."""
    return isinstance(value, dict) and not is_base64(value)


def of_rows(instances: list[Any], specs: Specs) -> dict[str, NDArray[Any]]:
    """Make the arrays of a request in row form.

    Args:
        instances: one value for each item; with several inputs, an object of values by
            the inputs' names.
        specs: the model's inputs.

    Returns:
        An array ``(N, …)`` of each input's dtype, by the input's name.

    Raises:
        InvalidInput, ShapeError: the values do not fit the inputs. ``faults`` has the
            sentence that TensorFlow Serving says.
    """
    if not is_named(instances[0]):
        if len(specs) > 1:
            raise InvalidInput("the instances do not name the model's inputs")
        return {specs[0].name: to_column(instances, specs[0])}
    names = {spec.name for spec in specs}
    for item in instances:
        if type(item) is not dict or item.keys() != names:
            raise InvalidInput("the instances do not all name the model's inputs")
    return {
        spec.name: to_column([item[spec.name] for item in instances], spec)
        for spec in specs
    }


def of_columns(inputs: object, specs: Specs) -> dict[str, NDArray[Any]]:
    """Make the arrays of a request in column form.

    Args:
        inputs: the one input's value, or an object of values by the inputs' names.
            Other names in it do not matter.
        specs: the model's inputs.

    Returns:
        An array of any shape and of each input's dtype, by the input's name.

    Raises:
        InvalidInput, ShapeError: see ``of_rows``.
    """
    if not isinstance(inputs, dict) or is_base64(inputs):
        if len(specs) > 1:
            raise InvalidInput("the inputs are not named")
        return {specs[0].name: to_column(inputs, specs[0])}
    for spec in specs:
        if spec.name not in inputs:
            raise InvalidInput(f"input {spec.name!r} is missing")
    return {spec.name: to_column(inputs[spec.name], spec) for spec in specs}


def to_column(value: object, spec: TensorSpec) -> NDArray[Any]:
    """Make the array of one input.

    Args:
        value: a value, or nested lists of values, with the batch axis.
        spec: the model's input.

    Returns:
        An array of the lists' shape and of the input's dtype; floats may be NaN or
        infinity.

    Raises:
        InvalidInput: a value is of another kind, or beyond the dtype.
        ShapeError: lists of one depth have different lengths.
    """
    what = f"input {spec.name!r}"
    nested = flatten(what, value)
    if spec.dtype.kind == "O" and dict in nested.kinds:
        texts = [text_of(one) for one in nested.flat]
        nested = Nested(nested.shape, texts, set(map(type, texts)))
    elif spec.dtype.kind in "iu" and float in nested.kinds:
        raise InvalidInput(f"{what} must hold whole numbers, and holds a decimal one")
    return to_array(what, nested, spec.dtype, takes_infinity=True)
