"""TensorFlow's message TensorProto to an array and back, without TensorFlow.

A message holds a tensor as its bytes, in little-endian order and row by row, or its
values one by one in a field for its type. In such a field the last value may stand for
all that follow.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.errors import InvalidInput
from runtime.programs.tensorflow_pb2 import DataType, TensorProto
from runtime.wire.content import numbers_of
from runtime.wire.shape import check_shape
from runtime.wire.tfs.datatypes import STRING, datatype_of


class _Field(NamedTuple):
    """The field of a type's values.

    Attributes:
        name: the field.
        held: the dtype of the numbers in the field.
        dtype: the dtype that they stand for.
    """

    name: str
    held: np.dtype[Any]
    dtype: np.dtype[Any]


_FIELDS: dict[str, _Field] = {
    datatype_of(np.dtype(dtype)): _Field(name, np.dtype(held), np.dtype(dtype))
    for name, held, dtypes in (
        ("bool_val", np.bool_, (np.bool_,)),
        ("int_val", np.int32, (np.uint8, np.uint16, np.int8, np.int16, np.int32)),
        ("int64_val", np.int64, (np.int64,)),
        ("uint32_val", np.uint32, (np.uint32,)),
        ("uint64_val", np.uint64, (np.uint64,)),
        # The bits of a number stand there.
        ("half_val", np.uint16, (np.float16,)),
        ("float_val", np.float32, (np.float32,)),
        ("double_val", np.float64, (np.float64,)),
        ("string_val", object, (object,)),
    )
    for dtype in dtypes
}
_NAMES: dict[int, str] = {number: name for name, number in DataType.items()}

# A short message could ask for any memory, if its one value stood for all others.
_MOST_REPEATED = 1 << 20
_NAME = 128


def read_tensor(name: str, tensor: TensorProto) -> NDArray[Any]:
    """Make an array of a message; bytes are not copied where their place allows that.

    Args:
        name: the input's name, for an error.
        tensor: the message.

    Returns:
        An array of the message's shape and dtype. Texts are objects of ``bytes``.

    Raises:
        InvalidInput: the message has a type that no model takes here, no shape, or a
            value beyond its type.
        ShapeError: its values are not as many as its shape takes.
    """
    what = f"input {name[:_NAME]!r}"
    datatype = _NAMES.get(tensor.dtype, str(tensor.dtype))
    if datatype not in _FIELDS:
        raise InvalidInput(
            f"{what} is {datatype}; it must be one of {', '.join(_FIELDS)}"
        )
    shape = _shape_of(what, tensor)
    field = _FIELDS[datatype]
    if tensor.tensor_content:
        return _of_bytes(what, tensor, field, shape)
    for other, _ in tensor.ListFields():
        if other.name.endswith("_val") and other.name != field.name:
            raise InvalidInput(
                f"{what} is {datatype}, whose values stand in {field.name!r}, and it"
                f" has {other.name!r}"
            )
    return _of_values(what, tensor, field, shape)


def _shape_of(what: str, tensor: TensorProto) -> tuple[int, ...]:
    if tensor.tensor_shape.unknown_rank:
        raise InvalidInput(f"{what} tells no shape")
    return check_shape(what, [dim.size for dim in tensor.tensor_shape.dim])


def _of_bytes(
    what: str, tensor: TensorProto, field: _Field, shape: tuple[int, ...]
) -> NDArray[Any]:
    if field.dtype.kind == "O":
        raise InvalidInput(f"{what} holds texts, which stand in 'string_val'")
    datatype = datatype_of(field.dtype)
    return numbers_of(what, tensor.tensor_content, datatype, field.dtype, shape)


def _of_values(
    what: str, tensor: TensorProto, field: _Field, shape: tuple[int, ...]
) -> NDArray[Any]:
    values = getattr(tensor, field.name)
    count, found = math.prod(shape), len(values)
    if found > count or (found < count and count > _MOST_REPEATED):
        raise ShapeError(
            f"{what} has {found} values, and its shape {list(shape)} takes {count}"
        )
    try:
        held = np.fromiter(values, field.held, found)
    except OverflowError:  # half_val alone is wider than its numbers
        raise _beyond(what, field) from None
    array = held.view(np.float16) if field.dtype == np.float16 else held
    if array.dtype != field.dtype:
        small = array.astype(field.dtype)
        if (small != array).any():
            raise _beyond(what, field)
        array = small
    if found < count:
        last = array[-1:] if found else _nothing(field.dtype)
        array = np.concatenate([array, np.repeat(last, count - found)])
    return array.reshape(shape)


def _nothing(dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the value that TensorFlow takes where none is given."""
    return np.array([b""], object) if dtype.kind == "O" else np.zeros(1, dtype)


def _beyond(what: str, field: _Field) -> InvalidInput:
    return InvalidInput(f"{what} holds a number beyond {datatype_of(field.dtype)}")


def write_tensor(name: str, array: NDArray[Any], tensor: TensorProto) -> None:
    """Write an array into a message, value by value, as TensorFlow Serving does.

    Args:
        name: the output's name, for an error.
        array: an array of any shape; texts may be ``str`` or ``bytes``.
        tensor: an empty message.

    Raises:
        InvalidInput: a message has no field for its dtype.
    """
    datatype = datatype_of(array.dtype)
    if datatype not in _FIELDS:
        raise InvalidInput(
            f"output {name!r} is {array.dtype}, which no client could read; ask for"
            " others in 'output_filter'"
        )
    field = _FIELDS[datatype]
    tensor.dtype = DataType.Value(datatype)
    for side in array.shape:
        tensor.tensor_shape.dim.add(size=side)
    values = np.ravel(array)
    if datatype == STRING:
        tensor.string_val.extend(
            value.encode() if isinstance(value, str) else value
            for value in values.tolist()
        )
        return
    if field.dtype == np.float16:
        values = values.view(np.uint16)
    getattr(tensor, field.name).extend(values.tolist())
