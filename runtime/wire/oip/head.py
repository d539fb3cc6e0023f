"""The JSON of a request for an inference, before its binary tensors are found."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from runtime.errors import InvalidInput
from runtime.wire.json_object import read_object
from runtime.wire.oip.bodies import InferenceRequest, InputTensor
from runtime.wire.oip.tensors import Tensor, read_tensor

# JSON is nested at most so deep. Triton has the same limit.
_MAX_DEPTH = 100
# So many microseconds are 30 years.
_MAX_MICROSECONDS = 10**15
_NUMBER = re.compile(r"[0-9]{1,18}")
# A shorter JSON is kept, because a client sends the same one before each of its binary
# tensors. To read it takes as long as a small model.
_KEPT_BYTES = 1024
_KEPT = 256

_KEYS = frozenset(InferenceRequest.__annotations__)
# The keys of an input or an output. Others are passed over, and have a limit.
_TENSOR_KEYS = frozenset(InputTensor.__annotations__)
# A head with one of these keys is not kept.
_VALUES = re.compile(rb'"(?:data|id)"')


class BlobSize(int):
    """The bytes of an input's binary tensor, in the place of its values."""


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


class Head(NamedTuple):
    """The JSON of a request.

    Attributes:
        id: the client's id, which the reply repeats; None if it has none.
        inputs: the inputs; the content of a binary one is its ``BlobSize``.
        outputs: the outputs that it wants; empty if it wants all.
        is_binary: whether all outputs are sent as binary tensors, if it names none.
        microseconds: the time after which nobody waits for it; None if it has none.
    """

    id: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Wanted, ...]
    is_binary: bool
    microseconds: int | None


def read_head(text: memoryview) -> Head:
    """Read the JSON of a request.

    Args:
        text: its bytes.

    Raises:
        InvalidInput, ShapeError: they are no such JSON.
    """
    if len(text) > _KEPT_BYTES:
        return _read(text)  # orjson copies nothing of a memoryview
    short = bytes(text)
    # Values and ids are other ones each time, and may be secret.
    return _read(short) if _VALUES.search(short) else _read_short(short)


def _read(text: bytes | memoryview) -> Head:
    content = read_object(text)
    if not content.keys() <= _KEYS:  # other keys are passed over, and have a limit
        _check_depth([content[key] for key in content.keys() - _KEYS])
    name = content.get("id")
    if name is not None and not isinstance(name, str):
        raise InvalidInput("'id' must be a text")
    parameters = _parameters("the request", content)
    is_binary = _flag(parameters, "binary_data_output")
    return Head(
        name,
        _read_inputs(content.get("inputs")),
        _read_outputs(content.get("outputs"), is_binary),
        is_binary,
        read_microseconds(parameters.get("timeout")),
    )


_read_short = functools.lru_cache(maxsize=_KEPT)(_read)


def _read_inputs(inputs: object) -> tuple[Tensor, ...]:
    if not isinstance(inputs, list):
        raise InvalidInput("'inputs' must be a list of inputs")
    if not inputs:
        raise InvalidInput("'inputs' is empty; the model takes one input at least")
    tensors: dict[str, Tensor] = {}
    for number, one in enumerate(inputs, start=1):
        name = _name("input", number, one)
        _check_depth([one[key] for key in one.keys() - _TENSOR_KEYS], 2)
        what = f"input {name[:128]!r}"
        if name in tensors:
            raise InvalidInput(f"{what} is there twice")
        parameters = _parameters(what, one)
        refuse_shared_memory(what, parameters)
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
            content = BlobSize(size)
        tensors[name] = read_tensor(
            name, one.get("datatype"), one.get("shape"), content
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
        _check_depth([one[key] for key in one.keys() - _TENSOR_KEYS], 2)
        what = f"output {name[:128]!r}"
        if name in wanted:
            raise InvalidInput(f"{what} is there twice")
        parameters = _parameters(what, one)
        refuse_shared_memory(what, parameters)
        is_its = _flag(parameters, "binary_data", is_binary)
        wanted[name] = Wanted(name, is_its, read_classes(what, parameters))
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


def read_classes(what: str, parameters: Mapping[str, Any]) -> int:
    """Read the parameter ``classification`` of an output; 0 if it is not there.

    Raises:
        InvalidInput: it is no number of classes.
    """
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < ("classification" in parameters):
        raise InvalidInput(
            f"'classification' of {what} must be a whole number from 1 on"
        )
    return classes


def refuse_shared_memory(what: str, parameters: Mapping[str, Any]) -> None:
    """Check that an input or an output names no shared memory.

    Raises:
        InvalidInput: it does.
    """
    if "shared_memory_region" in parameters:
        raise InvalidInput(
            f"{what} names shared memory, which this service does not read or write;"
            " send the values"
        )


def read_microseconds(timeout: object) -> int | None:
    """Read Triton's parameter ``timeout``; 0 is none.

    Raises:
        InvalidInput: it is no number of microseconds.
    """
    if timeout is None:
        return None
    # Some clients send every parameter as a text.
    if isinstance(timeout, str) and _NUMBER.fullmatch(timeout):
        timeout = int(timeout)
    if type(timeout) is not int or timeout < 0:
        raise InvalidInput("the parameter 'timeout' must be a number of microseconds")
    return min(timeout, _MAX_MICROSECONDS) or None


def _check_depth(values: list[Any], depth: int = 0) -> None:
    """Check how deep values that nobody reads are nested in the request's object.

    Args:
        values: the values of unknown keys.
        depth: the depth of the object that has them, below the request's own.
    """
    # The request's object is the first of the depths.
    for _ in range(_MAX_DEPTH - depth):
        lists = [value for value in values if isinstance(value, (list, dict))]
        if not lists:
            return
        values = [
            inner
            for value in lists
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    raise InvalidInput(f"the JSON is nested more than {_MAX_DEPTH} deep")
