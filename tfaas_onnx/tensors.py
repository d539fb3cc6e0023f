"""Arrays as the binary tensors of the Open Inference Protocol v2, and back."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfaas_onnx.errors import WrongArgument
from tfaas_onnx.reply import Reply
from tfaas_onnx.shapes import INFERRED, find_problem

# The header with the bytes of the JSON, after which the binary tensors begin.
HEADER = "Inference-Header-Content-Length"
BYTES = "BYTES"
# The protocol has all numbers in little-endian order.
DTYPES = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Signature:
    """The inputs of one version of a model.

    Attributes:
        datatypes: the protocol's name of each input's type, by the input's name.
    """

    datatypes: Mapping[str, str]

    def named(self, inputs: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, Any]:
        """Give one array the name of the model's only input.

        Raises:
            WrongArgument: the model has several inputs, or other names.
        """
        has = ", ".join(self.datatypes)
        if not isinstance(inputs, Mapping):
            if len(self.datatypes) != 1:
                raise WrongArgument(
                    "inputs", f"must be a dict, because the model has several: {has}"
                )
            return {next(iter(self.datatypes)): inputs}
        for name in inputs:
            if name not in self.datatypes:
                raise WrongArgument("inputs", f"have {name!r}, and the model has {has}")
        return dict(inputs)


def signature_of(reply: Reply, content: Mapping[str, Any]) -> Signature:
    """Read the metadata of a model."""
    return Signature({one["name"]: one["datatype"] for one in content["inputs"]})


def to_body(signature: Signature, inputs: Mapping[str, ArrayLike]) -> tuple[bytes, int]:
    """Write a request that wants all outputs as binary tensors.

    Args:
        signature: the model's inputs.
        inputs: arrays of any shape, by the names of the inputs. Numbers may have
            another dtype than the model takes if none of them changes by that, apart
            from rounding of floats.

    Returns:
        The body, and the number of bytes of the JSON at its begin.

    Raises:
        WrongArgument: an array cannot become the input's type.
    """
    described, blobs = [], []
    for name, value in inputs.items():
        datatype, shape, blob = _to_blob(name, value, signature.datatypes[name])
        described.append(
            {
                "name": name,
                "datatype": datatype,
                "shape": shape,
                "parameters": {"binary_data_size": len(blob)},
            }
        )
        blobs.append(blob)
    head = json.dumps(
        {"inputs": described, "parameters": {"binary_data_output": True}}
    ).encode()
    return b"".join([head, *blobs]), len(head)


def _to_blob(
    name: str, value: ArrayLike, datatype: str
) -> tuple[str, tuple[int, ...], bytes]:
    try:
        array = np.asarray(value)
    except ValueError as ex:
        raise WrongArgument("inputs", f"hold no array as {name!r}: {ex}") from ex
    if array.dtype.kind in "OSU":
        # A model of images takes encoded pictures in place of its numbers.
        return BYTES, array.shape, _to_elements(name, array.ravel().tolist())
    dtype = DTYPES.get(datatype)
    if dtype is None:
        raise WrongArgument(
            "inputs", f"hold {array.dtype} as {name!r}, and it takes {datatype}"
        )
    cast = _cast(array, dtype)
    if cast is None:
        raise WrongArgument(
            "inputs",
            f"hold {array.dtype} as {name!r}, which does not fit into {datatype}; round"
            " or scale it",
        )
    return datatype, array.shape, cast.tobytes()


def _cast(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Bring an array to a dtype; None if its values would change."""
    if array.dtype == dtype or np.can_cast(array.dtype, dtype, "safe"):
        return array.astype(dtype, copy=False)
    kinds = array.dtype.kind + dtype.kind
    if kinds in ("ff", "if", "uf"):
        return array.astype(dtype)
    if kinds in ("ii", "iu", "ui", "uu"):
        info = np.iinfo(dtype)
        if not array.size or (array.min() >= info.min and array.max() <= info.max):
            return array.astype(dtype)
    return None


def _to_elements(name: str, values: Iterable[object]) -> bytes:
    pieces = []
    for value in values:
        if isinstance(value, str):
            value = value.encode()
        if not isinstance(value, bytes):
            raise WrongArgument(
                "inputs",
                f"hold {type(value).__name__} as {name!r}; send numbers, texts or"
                " bytes",
            )
        pieces += [_LENGTH.pack(len(value)), value]
    return b"".join(pieces)


def read_outputs(reply: Reply) -> dict[str, NDArray[Any]]:
    """Read the binary tensors of a reply.

    Returns:
        An array of each output's own shape and dtype, by its name. Texts are objects of
        ``str``, and bytes that are no text are objects of ``bytes``.

    Raises:
        NotAService: the reply is no such reply.
    """
    length = reply.headers.get(HEADER, "")
    if not (length.isdecimal() and len(length) < 19):
        raise reply.stranger(f"{reply.path} answers without the header {HEADER}")
    size = int(length)
    try:
        content = json.loads(reply.body[:size])
    except (ValueError, RecursionError):
        content = None
    if problem := find_problem(content, INFERRED):
        raise reply.stranger(f"it answered {reply.path} {problem}")
    outputs, rest = {}, memoryview(reply.body)[size:]
    for one in content["outputs"]:
        count = one["parameters"]["binary_data_size"]
        array = None
        if 0 <= count <= len(rest):
            array = _from_blob(rest[:count], one["datatype"], one["shape"])
            rest = rest[count:]
        if array is None:
            name = one["name"][:128]
            raise reply.stranger(f"the output {name!r} has other bytes than it says")
        outputs[one["name"]] = array
    return outputs


def _from_blob(
    blob: memoryview, datatype: str, shape: list[int]
) -> NDArray[Any] | None:
    """Read an array, which the caller may change; None if it is none."""
    if min(shape, default=0) < 0 or len(shape) > 32:
        return None
    count = math.prod(shape)
    if datatype == BYTES:
        elements = _from_elements(blob, count)
        return None if elements is None else elements.reshape(shape)
    dtype = DTYPES.get(datatype)
    if dtype is None or len(blob) != count * dtype.itemsize:
        return None
    return np.frombuffer(bytearray(blob), dtype).reshape(shape)


def _from_elements(blob: memoryview, count: int) -> NDArray[Any] | None:
    # Each element takes four bytes at least, so a huge count is refused at once.
    if count * _LENGTH.size > len(blob):
        return None
    found: list[bytes] = []
    while len(blob) >= _LENGTH.size and len(found) < count:
        (length,) = _LENGTH.unpack_from(blob)
        blob = blob[_LENGTH.size :]
        if length > len(blob):
            return None
        found.append(bytes(blob[:length]))
        blob = blob[length:]
    if blob or len(found) != count:
        return None
    elements = np.empty(count, object)
    try:
        elements[:] = [element.decode() for element in found]
    except UnicodeDecodeError:
        elements[:] = found
    return elements
