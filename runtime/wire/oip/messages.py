"""The protocol's messages of gRPC as requests and answers, without a server.

A message holds a tensor as raw bytes, like a binary tensor behind JSON, or its values
one by one in a field for its type. All inputs of a request are of one form, and the
reply has the same form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bundle.errors import ShapeError
from runtime.errors import InvalidInput
from runtime.prediction.answers import Outputs
from runtime.wire.oip.blobs import to_blob, to_elements
from runtime.wire.oip.datatypes import BYTES, DTYPES, check_datatype, datatype_of
from runtime.wire.oip.head import (
    Wanted,
    read_classes,
    read_microseconds,
    refuse_shared_memory,
)
from runtime.wire.oip.inference_pb2 import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)
from runtime.wire.oip.reply import wanted_arrays
from runtime.wire.oip.request import InferRequest
from runtime.wire.oip.tensors import Tensor, read_shape, read_tensor

# The fields of values, one by one, and the dtype of each field.
_FIELDS: dict[str, tuple[str, np.dtype[Any]]] = {
    "BOOL": ("bool_contents", np.dtype(np.bool_)),
    "UINT8": ("uint_contents", np.dtype(np.uint32)),
    "UINT16": ("uint_contents", np.dtype(np.uint32)),
    "UINT32": ("uint_contents", np.dtype(np.uint32)),
    "UINT64": ("uint64_contents", np.dtype(np.uint64)),
    "INT8": ("int_contents", np.dtype(np.int32)),
    "INT16": ("int_contents", np.dtype(np.int32)),
    "INT32": ("int_contents", np.dtype(np.int32)),
    "INT64": ("int64_contents", np.dtype(np.int64)),
    "FP32": ("fp32_contents", np.dtype(np.float32)),
    "FP64": ("fp64_contents", np.dtype(np.float64)),
    BYTES: ("bytes_contents", np.dtype(object)),
}


def read_infer(message: ModelInferRequest) -> InferRequest:
    """Read the message of a request for an inference.

    Raw bytes stay where protobuf put them.

    Raises:
        InvalidInput, ShapeError: the message is no such request.
    """
    raw = message.raw_input_contents
    parameters = _parameters(message.parameters)
    return InferRequest(
        message.id or None,
        _inputs(message, raw),
        _outputs(message) if message.outputs else (),
        bool(raw),
        read_microseconds(parameters.get("timeout")),
    )


def _inputs(message: ModelInferRequest, raw: Sequence[bytes]) -> tuple[Tensor, ...]:
    inputs = message.inputs
    if not inputs:
        raise InvalidInput("'inputs' is empty; the model takes one input at least")
    if raw and len(raw) != len(inputs):
        raise InvalidInput(
            f"'raw_input_contents' has {len(raw)} tensors, and 'inputs' has"
            f" {len(inputs)}; all inputs are raw, or none"
        )
    tensors: dict[str, Tensor] = {}
    for place, one in enumerate(inputs):
        name = _name("input", place + 1, one.name)
        what = f"input {name[:128]!r}"
        if name in tensors:
            raise InvalidInput(f"{what} is there twice")
        if one.parameters:
            refuse_shared_memory(what, _parameters(one.parameters))
        if raw and one.HasField("contents"):
            raise InvalidInput(
                f"{what} must have one of 'contents' and 'raw_input_contents', and has"
                " both"
            )
        shape = list(one.shape)
        if raw:
            content = memoryview(raw[place])
        else:
            content = _blob(what, one.datatype, shape, one.contents)
        tensors[name] = read_tensor(name, one.datatype, shape, content)
    return tuple(tensors.values())


def _blob(
    what: str, datatype: str, shape: list[int], contents: InferTensorContents
) -> memoryview:
    """Make the raw bytes of values that came one by one."""
    shape = list(read_shape(what, shape))
    field, held = _field(what, check_datatype(what, datatype))
    for other, _ in contents.ListFields():
        if other.name != field:
            raise InvalidInput(
                f"{what} is {datatype}, whose values stand in {field!r}, and it has"
                f" {other.name!r}"
            )
    values = getattr(contents, field)
    count = math.prod(shape)
    if len(values) != count:
        raise ShapeError(
            f"{what} has {len(values)} values, and its shape {shape} takes {count}"
        )
    if datatype == BYTES:
        return memoryview(to_elements(values))
    array = np.fromiter(values, held, count)
    dtype = DTYPES[datatype]
    if dtype == held:
        return memoryview(array.tobytes())
    small = array.astype(dtype)
    if (small != array).any():
        raise InvalidInput(f"{what} holds a number beyond {datatype}")
    return memoryview(small.tobytes())


def _field(what: str, datatype: str) -> tuple[str, np.dtype[Any]]:
    if datatype not in _FIELDS:
        raise InvalidInput(
            f"{what} is {datatype}, which only 'raw_input_contents' can hold"
        )
    return _FIELDS[datatype]


def _outputs(message: ModelInferRequest) -> tuple[Wanted, ...]:
    wanted: dict[str, Wanted] = {}
    for number, one in enumerate(message.outputs, start=1):
        name = _name("output", number, one.name)
        what = f"output {name[:128]!r}"
        if name in wanted:
            raise InvalidInput(f"{what} is there twice")
        parameters = _parameters(one.parameters)
        refuse_shared_memory(what, parameters)
        wanted[name] = Wanted(name, True, read_classes(what, parameters))
    return tuple(wanted.values())


def _name(kind: str, number: int, name: str) -> str:
    if not name:
        raise InvalidInput(f"'name' of {kind} {number} must be a text")
    return name


def _parameters(parameters: Mapping[str, InferParameter]) -> dict[str, Any]:
    """Return the values of parameters; None stands for one without a value."""
    return {name: _value(one) for name, one in parameters.items()} if parameters else {}


def _value(parameter: InferParameter) -> Any:
    kind = parameter.WhichOneof("parameter_choice")
    return None if kind is None else getattr(parameter, kind)


def write_infer(
    name: str, request: InferRequest, answer: Outputs
) -> ModelInferResponse:
    """Make the message with the outputs that a request wants, in this order.

    Args:
        name: the model's name, as the request has it.
        request: the request.
        answer: all outputs, as the engine gave them.

    Raises:
        InvalidInput: the protocol has no name for an output's dtype, or an output has
            no classes.
    """
    message = ModelInferResponse(model_name=name, id=request.id)
    if answer.version is not None:
        message.model_version = str(answer.version)
    arrays = [(wanted.name, array) for wanted, array in wanted_arrays(request, answer)]
    # No field holds numbers of FP16, and the outputs are all of one form.
    is_raw = request.is_binary or any(
        datatype_of(array.dtype) not in _FIELDS for _, array in arrays
    )
    for output, array in arrays:
        datatype = datatype_of(array.dtype)
        tensor = message.outputs.add(name=output, datatype=datatype, shape=array.shape)
        if is_raw:
            message.raw_output_contents.append(to_blob(array))
            continue
        values = array.ravel().tolist()
        if datatype == BYTES:
            values = [v.encode() if isinstance(v, str) else v for v in values]
        getattr(tensor.contents, _FIELDS[datatype][0]).extend(values)
    return message
