"""One input of a request: its name, datatype, shape and values, to an array."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.backends import TensorSpec
from runtime.backends.tensors import shown
from runtime.errors import InvalidInput
from runtime.prediction.images import MOST_PICTURES
from runtime.prediction.inputs import Nested, flatten, to_array
from runtime.wire.content import texts_of
from runtime.wire.oip.blobs import from_blob
from runtime.wire.oip.datatypes import BYTES, DTYPES, check_datatype, datatype_of
from runtime.wire.shape import check_shape


class Tensor(NamedTuple):
    """One input of a request.

    Attributes:
        name: the input's name.
        datatype: the protocol's name of its type.
        shape: its shape.
        content: its values: bytes, or nested or flat lists as ``orjson.loads`` gives
            them.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    content: Any

    @property
    def what(self) -> str:
        """The input, for an error."""
        return f"input {self.name[:128]!r}"


def read_shape(what: str, value: object) -> tuple[int, ...]:
    """Read a shape that a request names.

    Raises:
        InvalidInput: it is no list of whole numbers from 0 on, or has too many axes.
        ShapeError: its product is beyond any array.
    """
    if not isinstance(value, list) or not all(type(side) is int for side in value):
        raise InvalidInput(f"the shape of {what} must be a list of whole numbers")
    return check_shape(what, value)


def read_tensor(
    name: str, datatype: object, shape: object, content: object | memoryview
) -> Tensor:
    """Read an input whose values have been found already.

    Raises:
        InvalidInput, ShapeError: its datatype or its shape is none.
    """
    what = f"input {name[:128]!r}"
    return Tensor(
        name, check_datatype(what, datatype), read_shape(what, shape), content
    )


def to_input(tensor: Tensor, spec: TensorSpec) -> NDArray[Any]:
    """Make the array of a model's input.

    Args:
        tensor: the input as it came.
        spec: the model's input of the same name.

    Returns:
        An array of the tensor's shape and of the input's dtype; texts are ``str``.

    Raises:
        InvalidInput: it has another datatype than the model takes, or a value that the
            datatype cannot hold.
        ShapeError: its values are not as many as its shape takes.
    """
    wanted = datatype_of(spec.dtype)
    if tensor.datatype != wanted:
        raise InvalidInput(
            f"{tensor.what} is {tensor.datatype} and the model takes {wanted}"
        )
    array = _array_of(tensor)
    # Elements that came as bytes are texts now; those of JSON are texts already.
    if tensor.datatype == BYTES and isinstance(tensor.content, memoryview):
        return texts_of(tensor.what, array)
    return array


def raw_input(raw: memoryview, specs: tuple[TensorSpec, ...]) -> Tensor:
    """Make the input of a request whose whole body is the one input's bytes.

    Its shape is that of one item. At most one other axis of the model may be free.

    Raises:
        InvalidInput: the model has several inputs, or more axes are free.
        ShapeError: the bytes are no whole number of the axis that is free.
    """
    if len(specs) != 1:
        raise InvalidInput(
            f"a raw binary request is one input, and the model has {len(specs)}"
        )
    (spec,) = specs
    what = f"input {spec.name!r}"
    datatype = datatype_of(spec.dtype)
    if datatype not in DTYPES:
        raise InvalidInput(f"{what} is {datatype}, which no request can carry")
    sides = list(spec.shape)
    if sides and sides[0] is None:
        sides[0] = 1
    free = [place for place, side in enumerate(sides) if side is None]
    if datatype == BYTES:
        if math.prod(side or 1 for side in sides) != 1:
            raise InvalidInput(
                f"a raw binary request is one element of BYTES, and {what} takes"
                f" {shown(spec.shape)}"
            )
        whole = memoryview(len(raw).to_bytes(4, "little") + bytes(raw))
        return Tensor(spec.name, datatype, (1,) * len(sides), whole)
    if len(free) > 1:
        raise InvalidInput(
            f"a raw binary request tells no shape, and {what} has {len(free)} free axes"
            " beside the batch's; send the JSON, too"
        )
    if free:
        rest = math.prod(side for side in sides if side is not None)
        rest *= spec.dtype.itemsize
        if not rest or len(raw) % rest:
            raise ShapeError(
                f"{what} has {len(raw)} bytes of binary data, which is no multiple of"
                f" {rest}: the model takes {shown(spec.shape)}"
            )
        sides[free[0]] = len(raw) // rest
    return Tensor(spec.name, datatype, tuple(map(_known, sides)), raw)


def to_files(tensor: Tensor) -> list[bytes]:
    """Take encoded pictures out of an input of BYTES; in JSON they are base64.

    Raises:
        InvalidInput: there is none, there are too many, or one is no base64.
        ShapeError: they are not as many as the shape takes.
    """
    count = math.prod(tensor.shape)
    if not 0 < count <= MOST_PICTURES:
        raise InvalidInput(
            f"{tensor.what} holds {count} pictures; send 1 to {MOST_PICTURES}"
        )
    elements = _array_of(tensor).ravel().tolist()
    if isinstance(tensor.content, memoryview):
        return elements
    try:
        return [base64.b64decode(text, validate=True) for text in elements]
    except (binascii.Error, ValueError):
        raise InvalidInput(
            f"{tensor.what} holds a text that is no base64: a picture in JSON is sent"
            " as base64, and as binary data as it is"
        ) from None


def _array_of(tensor: Tensor) -> NDArray[Any]:
    """Make an array of a tensor's own datatype and shape."""
    if isinstance(tensor.content, memoryview):
        return from_blob(tensor.what, tensor.content, tensor.datatype, tensor.shape)
    nested = flatten(tensor.what, tensor.content)
    count = math.prod(tensor.shape)
    if nested.shape not in (tensor.shape, (count,)):
        raise ShapeError(
            f"{tensor.what} has data of the shape {list(nested.shape)}, and its shape"
            f" is {list(tensor.shape)}, which takes {count} values"
        )
    whole = Nested(tensor.shape, nested.flat, nested.kinds)
    return to_array(tensor.what, whole, np.dtype(DTYPES[tensor.datatype]))


def _known(side: int | None) -> int:
    assert side is not None, "free axes have been filled in"
    return side
