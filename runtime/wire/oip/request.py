"""The request for an inference: JSON, perhaps with binary tensors behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.backends.tensors import check_inputs, check_names
from runtime.errors import InvalidInput
from runtime.models.model import Model
from runtime.wire.oip.datatypes import BYTES
from runtime.wire.oip.head import BlobSize, Wanted, read_head
from runtime.wire.oip.tensors import Tensor, raw_input, to_files, to_input

# The header with the bytes of the JSON, after which the binary tensors begin.
HEADER = "Inference-Header-Content-Length"
_NUMBER = re.compile(r"[0-9]{1,18}")


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
        if self.outputs:
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
    head = read_head(whole[:length])
    return InferRequest(
        head.id,
        _with_blobs(head.inputs, whole[length:]),
        head.outputs,
        head.is_binary,
        head.microseconds,
    )


def _with_blobs(inputs: tuple[Tensor, ...], rest: memoryview) -> tuple[Tensor, ...]:
    """Give each binary tensor its bytes, which stand behind the JSON in this order."""
    place = 0
    tensors = []
    for tensor in inputs:
        size = tensor.content
        if type(size) is BlobSize:
            if size > len(rest) - place:
                raise ShapeError(
                    f"{tensor.what} says {size} bytes of binary data, and the body"
                    f" ends: expecting {size - (len(rest) - place)} additional bytes"
                )
            blob = rest[place : place + size]
            tensor = Tensor(tensor.name, tensor.datatype, tensor.shape, blob)
            place += size
        tensors.append(tensor)
    if place != len(rest):
        raise ShapeError(
            f"unexpected additional input data: {len(rest) - place} bytes stand after"
            " the last input"
        )
    return tuple(tensors)


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
