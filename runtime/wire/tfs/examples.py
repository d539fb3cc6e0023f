"""The request for a classification or a regression: examples with features by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.backends import TensorSpec
from runtime.backends.tensors import check_inputs, check_names
from runtime.backends.tensors import shown as shape_shown
from runtime.errors import InvalidInput
from runtime.models.model import Model
from runtime.prediction.inputs import Nested, flatten, to_array
from runtime.prediction.rows import Rows, to_row_input
from runtime.wire.tfs.base64_object import files_of, is_base64, text_of
from runtime.wire.tfs.text import check_signature, kind_of, read_object, shown

# An example: a list of values for each feature.
Example = Mapping[str, list[Any]]

# TensorFlow's name for the values that one feature may hold together.
_BYTES, _FLOATS, _WHOLE = "bytes", "float", "int64"
_KINDS: dict[type, str] = {
    bool: _WHOLE,
    dict: _BYTES,
    float: _FLOATS,
    int: _WHOLE,
    str: _BYTES,
}
_LARGEST = 2**63 - 1
_NAME = 128


class ExamplesRequest(NamedTuple):
    """The request for a classification or a regression.

    Attributes:
        method: ``classify`` or ``regress``.
        content: the request's object.
        examples: the examples, each with the features of the context.
    """

    method: str
    content: dict[str, Any]
    examples: tuple[Example, ...]

    def arrays_for(self, model: Model) -> dict[str, NDArray[Any]]:
        """Make the arrays of all inputs of a model.

        The features have the names of the model's inputs, or those of params.json's
        ``features``.

        Returns:
            An array of each input's shape and dtype, by the input's name.

        Raises:
            InvalidInput, ShapeError: the request does not fit the model.
        """
        specs = model.backend.inputs
        features = model.bundle.params.features
        if features and len(specs) == 1 and specs[0].name not in self.examples[0]:
            arrays = to_row_input(self._rows(), specs, features)
        else:
            for example in self.examples:
                check_names(specs, example)
            arrays = {
                spec.name: _of_feature(
                    [example[spec.name] for example in self.examples], spec
                )
                for spec in specs
            }
        check_inputs(specs, arrays)
        return arrays

    def files_for(self, model: Model) -> Sequence[bytes] | None:
        """Return encoded pictures, if the request has some and the model takes images.

        None means that ``arrays_for`` makes its inputs.

        Raises:
            InvalidInput: the request asks for a signature that the model has not, or a
                picture cannot be taken out of it.
        """
        check_signature(self.content.get("signature_name", ""), self.method)
        specs = model.backend.inputs
        if not model.img_channels or specs[0].dtype.kind == "O":
            return None
        values = [example.get(specs[0].name, []) for example in self.examples]
        if not any(len(value) == 1 and is_base64(value[0]) for value in values):
            return None
        for example in self.examples:
            check_names(specs, example)
        return files_of([value for several in values for value in several])

    def _rows(self) -> Rows:
        """Return the examples as rows of one value for each feature."""
        keys = tuple(self.examples[0])
        table = []
        for number, example in enumerate(self.examples):
            if example.keys() != set(keys):
                raise InvalidInput(
                    f"example {number} has other features than the first one"
                )
            table.append([_only(key, example[key]) for key in keys])
        return Rows(keys, flatten("'examples'", table))


def _only(name: str, values: list[Any]) -> Any:
    if len(values) != 1:
        raise ShapeError(
            f"feature {name[:_NAME]!r} has {len(values)} values, and the model takes"
            " one"
        )
    return _number(values[0])


def _number(value: object) -> object:
    # TensorFlow has no feature of true and false.
    return int(value) if isinstance(value, bool) else value


def _of_feature(column: list[list[Any]], spec: TensorSpec) -> NDArray[Any]:
    """Make the array of one input of the values that each example has for it."""
    what = f"feature {spec.name!r}"
    nested = flatten(what, column)
    if spec.dtype.kind != "b" and bool in nested.kinds:
        nested = _with(nested, [_number(value) for value in nested.flat])
    if dict in nested.kinds:
        nested = _with(nested, [text_of(value) for value in nested.flat])
    array = to_array(what, nested, np.dtype(spec.dtype), takes_infinity=True)
    sides = [-1 if side is None else side for side in spec.shape[1:]]
    try:
        return array.reshape(len(column), *sides)
    except ValueError:
        raise ShapeError(
            f"{what} has {nested.shape[1]} values, and the model takes"
            f" {shape_shown(spec.shape[1:])}"
        ) from None


def _with(nested: Nested, flat: list[Any]) -> Nested:
    return Nested(nested.shape, flat, set(map(type, flat)))


def read_examples(body: bytes, method: str) -> ExamplesRequest:
    """Read a request for a classification or a regression.

    Args:
        body: its bytes.
        method: ``classify`` or ``regress``.

    Raises:
        InvalidInput: the body is no such request.
    """
    content = read_object(body)
    context = _read_example(content["context"]) if "context" in content else {}
    if "examples" not in content:
        problem = (
            "When method is classify, key 'examples' is expected and was not found"
        )
    elif not isinstance(content["examples"], list):
        problem = "Expecting 'examples' value to be an list/array"
    elif not content["examples"]:
        problem = "'examples' value is an empty array"
    else:
        examples = []
        for one in content["examples"]:
            example = _read_example(one)
            if twice := context.keys() & example.keys():
                raise InvalidInput(
                    f"feature {min(twice)[:_NAME]!r} stands in the context and in an"
                    " example"
                )
            examples.append({**context, **example})
        return ExamplesRequest(method, content, tuple(examples))
    raise InvalidInput(f"JSON Value: {shown(content)} {problem}")


def _read_example(value: object) -> dict[str, list[Any]]:
    if not isinstance(value, dict):
        raise InvalidInput(f"Example must be JSON object but got JSON {kind_of(value)}")
    example = {
        name: values if isinstance(values, list) else [values]
        for name, values in value.items()
    }
    for name, values in example.items():
        _check_feature(name[:_NAME], values)
    return example


def _check_feature(name: str, values: list[Any]) -> None:
    """Check that the values of one feature are of one kind that features may have."""
    kind = None
    for value in values:
        found = _KINDS.get(type(value))
        if found is None or (isinstance(value, dict) and not is_base64(value)):
            raise InvalidInput(
                f"Feature: {name} has element with unexpected JSON type:"
                f" {kind_of(value)}"
            )
        if found != (kind := kind or found):
            raise InvalidInput(
                f"Unexpected element type in feature: {name} expecting type: {kind}"
            )
        if type(value) is int and value > _LARGEST:
            raise InvalidInput(
                f"Feature: {name} has uint64 element. Only int64 is supported."
            )
