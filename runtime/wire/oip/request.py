"""The request for an inference: JSON, perhaps with binary tensors behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.backends.tensors import check_inputs, check_names
from runtime.errors import InvalidInput
from runtime.models.model import Model
from runtime.wire.oip.datatypes import BYTES
from runtime.wire.oip.tensors import (
    Tensor,
    raw_input,
    read_tensor,
    to_files,
    to_input,
)

# The header with the bytes of the JSON, after which the binary tensors begin.
HEADER = "Inference-Header-Content-Length"
_NUMBER = re.compile(r"[0-9]{1,18}")
# JSON is nested at most so deep. Triton has the same limit.
_MAX_DEPTH = 100
# So many microseconds are 30 years.
_MAX_MICROSECONDS = 10**15

_KEYS = frozenset(("id", "inputs", "outputs", "parameters"))


class Wanted(NamedTuple):
    """An output that a request wants.

    Attributes:
        name: the output's name.
        is_binary: whether it is sent as a binary tensor.
        classes: the number of classes that are sent in its place; 0 sends the output.
    """

    name: str
    is_binary: bool
    classes: int


class InferRequest(NamedTuple):
    """The request for an inference.

    Attributes:
        id: the client's id, which the reply repeats; None if it has none.
        inputs: the inputs; empty if the request is raw.
        outputs: the outputs that it wants; empty if it wants all.
        is_binary: whether all outputs are sent as binary tensors, if it names none.
        microseconds: the time after which nobody waits for it; None if it has none.
        raw: the bytes of the one input, if the request has nothing else.
    """

    id: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Wanted, ...]
    is_binary: bool
    microseconds: int | None = None
    raw: memoryview | None = None

    def arrays_for(self, model: Model) -> dict[str, NDArray[Any]]:
        """Make the arrays of all inputs of a model.

        Returns:
            An array of each input's shape and dtype, by the input's name.

        Raises:
            InvalidInput, ShapeError: the request does not fit the model.
        """
        specs = model.backend.inputs
        inputs = self.inputs
        if self.raw is not None:
            inputs = (raw_input(self.raw, specs),)
        given = {tensor.name: tensor for tensor in inputs}
        check_names(specs, given)
        check_outputs(self.outputs, [spec.name for spec in model.backend.outputs])
        arrays = {spec.name: to_input(given[spec.name], spec) for spec in specs}
        check_inputs(specs, arrays)
        return arrays

    def files_for(self, model: Model) -> Sequence[bytes] | None:
        """Return encoded pictures, if the request has some and the model takes images.

        None means that ``arrays_for`` makes its inputs.

        Raises:
            InvalidInput, ShapeError: the pictures cannot be taken out of the request.
        """
        if not model.img_channels or len(self.inputs) != 1:
            return None
        (tensor,) = self.inputs
        specs = model.backend.inputs
        if tensor.datatype != BYTES or specs[0].dtype.kind == "O":
            return None
        check_names(specs, {tensor.name: tensor})
        check_outputs(self.outputs, [model.output.name])
        return to_files(tensor)


def check_outputs(wanted: Iterable[Wanted], names: Sequence[str]) -> None:
    """Check that a model has all outputs that a request wants.

    Raises:
        InvalidInput: it lacks one.
    """
    for output in wanted:
        if output.name not in names:
            raise InvalidInput(
                f"the model has no output {output.name[:128]!r} for this request; its"
                f" outputs are {', '.join(names)}"
            )


def read_request(body: bytes, header: str | None) -> InferRequest:
    """Read a request; a binary tensor stays where it stands in the body.

    Args:
        body: the whole body.
        header: the value of the header ``HEADER``; None if there is none.

    Raises:
        InvalidInput, ShapeError: the body is no such request.
    """
    whole = memoryview(body)
    length = len(body) if header is None else _read_length(header, len(body))
    if header is not None and length == 0:
        return InferRequest(None, (), (), True, raw=whole)
    try:
        # orjson copies nothing of a memoryview.
        content = orjson.loads(whole[:length])
    except orjson.JSONDecodeError as ex:
        raise InvalidInput(
            f"the body is not JSON: it cannot be read at line {ex.lineno}, column"
            f" {ex.colno}"
        ) from ex
    if not isinstance(content, dict):
        raise InvalidInput("the body must be one JSON object")
    if not content.keys() <= _KEYS:  # other keys are passed over, and have a limit
        _check_depth([content[key] for key in content.keys() - _KEYS])
    name = content.get("id")
    if name is not None and not isinstance(name, str):
        raise InvalidInput("'id' must be a text")
    parameters = _parameters("the request", content)
    is_binary = _flag(parameters, "binary_data_output")
    return InferRequest(
        name,
        _read_inputs(content.get("inputs"), whole[length:]),
        _read_outputs(content.get("outputs"), is_binary),
        is_binary,
        _microseconds(parameters.get("timeout")),
    )


def _read_length(header: str, size: int) -> int:
    if not _NUMBER.fullmatch(header):
        raise InvalidInput(
            f"the header {HEADER} is {header[:64]!r}; it must be the number of bytes of"
            " the JSON"
        )
    if int(header) > size:
        raise InvalidInput(
            f"the header {HEADER} is {header}, and the body has {size} bytes"
        )
    return int(header)


def _read_inputs(inputs: object, rest: memoryview) -> tuple[Tensor, ...]:
    """Read the inputs; those of binary data stand behind the JSON, in their order."""
    if not isinstance(inputs, list):
        raise InvalidInput("'inputs' must be a list of inputs")
    if not inputs:
        raise InvalidInput("'inputs' is empty; the model takes one input at least")
    place = 0
    tensors: dict[str, Tensor] = {}
    for number, one in enumerate(inputs, start=1):
        name = _name("input", number, one)
        what = f"input {name[:128]!r}"
        if name in tensors:
            raise InvalidInput(f"{what} is there twice")
        parameters = _parameters(what, one)
        _refuse_shared_memory(what, parameters)
        content = one.get("data")
        size = parameters.get("binary_data_size")
        if (size is None) == (content is None):
            found = "neither" if size is None else "both"
            raise InvalidInput(
                f"{what} must have one of 'data' and 'binary_data_size', and has"
                f" {found}"
            )
        if size is not None:
            if type(size) is not int or size < 0:
                raise InvalidInput(
                    f"'binary_data_size' of {what} must be a whole number from 0 on"
                )
            if size > len(rest) - place:
                raise ShapeError(
                    f"{what} says {size} bytes of binary data, and the body ends:"
                    f" expecting {size - (len(rest) - place)} additional bytes"
                )
            content = rest[place : place + size]
            place += size
        tensors[name] = read_tensor(
            name, one.get("datatype"), one.get("shape"), content
        )
    if place != len(rest):
        raise ShapeError(
            f"unexpected additional input data: {len(rest) - place} bytes stand after"
            " the last input"
        )
    return tuple(tensors.values())


def _read_outputs(outputs: object, is_binary: bool) -> tuple[Wanted, ...]:
    if outputs is None:
        return ()
    if not isinstance(outputs, list):
        raise InvalidInput("'outputs' must be a list of outputs")
    wanted: dict[str, Wanted] = {}
    for number, one in enumerate(outputs, start=1):
        name = _name("output", number, one)
        what = f"output {name[:128]!r}"
        if name in wanted:
            raise InvalidInput(f"{what} is there twice")
        parameters = _parameters(what, one)
        _refuse_shared_memory(what, parameters)
        classes = parameters.get("classification", 0)
        if type(classes) is not int or classes < ("classification" in parameters):
            raise InvalidInput(
                f"'classification' of {what} must be a whole number from 1 on"
            )
        is_its = _flag(parameters, "binary_data", is_binary)
        wanted[name] = Wanted(name, is_its, classes)
    return tuple(wanted.values())


def _name(kind: str, number: int, one: object) -> str:
    if not isinstance(one, dict):
        raise InvalidInput(f"{kind} {number} must be an object")
    name = one.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"'name' of {kind} {number} must be a text")
    return name


def _parameters(what: str, content: dict[str, Any]) -> dict[str, Any]:
    parameters = content.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidInput(f"'parameters' of {what} must be an object")
    for name, value in parameters.items():
        if not isinstance(value, (str, int, float)):
            raise InvalidInput(
                f"the parameter {name[:64]!r} of {what} must be a text, a number, true"
                " or false"
            )
    return parameters


def _flag(parameters: dict[str, Any], name: str, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInput(f"the parameter {name!r} must be true or false")
    return value


def _refuse_shared_memory(what: str, parameters: dict[str, Any]) -> None:
    if "shared_memory_region" in parameters:
        raise InvalidInput(
            f"{what} names shared memory, which this service does not read or write;"
            " send the values"
        )


def _microseconds(timeout: object) -> int | None:
    """Read Triton's parameter ``timeout``; 0 is none."""
    if timeout is None:
        return None
    # Some clients send every parameter as a text.
    if isinstance(timeout, str) and _NUMBER.fullmatch(timeout):
        timeout = int(timeout)
    if type(timeout) is not int or timeout < 0:
        raise InvalidInput("the parameter 'timeout' must be a number of microseconds")
    return min(timeout, _MAX_MICROSECONDS) or None


def _check_depth(values: list[Any]) -> None:
    """Check how deep values that nobody reads are nested in the request's object."""
    # The request's object is the first of the depths.
    for _ in range(_MAX_DEPTH):
        lists = [value for value in values if isinstance(value, (list, dict))]
        if not lists:
            return
        values = [
            inner
            for value in lists
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    raise InvalidInput(f"the JSON is nested more than {_MAX_DEPTH} deep")
