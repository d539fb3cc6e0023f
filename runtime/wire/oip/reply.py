"""The reply to an inference: JSON, perhaps with binary tensors behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from runtime.errors import BackendError, InvalidInput
from runtime.prediction.answers import Outputs
from runtime.prediction.postprocess import is_finite, to_texts
from runtime.wire.oip.blobs import to_blob
from runtime.wire.oip.bodies import InferenceReply, OutputTensor
from runtime.wire.oip.classification import best_classes
from runtime.wire.oip.datatypes import datatype_of, is_known
from runtime.wire.oip.head import Wanted
from runtime.wire.oip.request import InferRequest

# Without a line's end two replies run together in a terminal.
_ALONE = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class InferReply(NamedTuple):
    """The bytes of a reply.

    Attributes:
        body: its bytes.
        json_bytes: the bytes of the JSON, after which the binary tensors begin; None if
            there are none.
    """

    body: bytes
    json_bytes: int | None


def write_reply(name: str, request: InferRequest, answer: Outputs) -> InferReply:
    """Write the outputs that a request wants, in the order of its wishes.

    Args:
        name: the model's name, as the request has it.
        request: the request.
        answer: all outputs, as the engine gave them.

    Raises:
        InvalidInput: JSON cannot carry a number of an output, or an output has no
            classes.
    """
    outputs: list[OutputTensor] = []
    blobs: list[bytes] = []
    has_blobs = False
    for one, array in wanted_arrays(request, answer):
        described: OutputTensor = {
            "name": one.name,
            "datatype": datatype_of(array.dtype),
            "shape": array.shape,
        }
        if one.is_binary:
            blob = to_blob(array)
            described["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
            has_blobs = True
        else:
            described["data"] = _to_flat(one.name, array)
        outputs.append(described)
    content: InferenceReply = {"model_name": name, "outputs": outputs}
    if answer.version is not None:
        content["model_version"] = str(answer.version)
    if request.id is not None:
        content["id"] = request.id
    if not has_blobs:
        return InferReply(orjson.dumps(content, option=_ALONE), None)
    head = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return InferReply(b"".join([head, *blobs]), len(head))


def wanted_arrays(
    request: InferRequest, answer: Outputs
) -> Iterator[tuple[Wanted, NDArray[Any]]]:
    """Yield the outputs that a request wants, in the order of its wishes.

    Raises:
        InvalidInput: the protocol has no name for an output's dtype, or an output has
            no classes.
    """
    for one in request.outputs or answer.outputs:
        wanted = Wanted(one, request.is_binary, 0) if isinstance(one, str) else one
        array = _wanted_array(wanted, answer)
        if not is_known(array.dtype):
            raise InvalidInput(
                f"output {wanted.name!r} is {array.dtype}, which this protocol has no"
                " name for; ask for others in 'outputs'"
            )
        yield wanted, array


def _wanted_array(wanted: Wanted, answer: Outputs) -> NDArray[Any]:
    """Return an output as a request wants it: itself, or its best classes."""
    array = np.asarray(answer.outputs[wanted.name], order="C")
    if not wanted.classes:
        return array
    labels = answer.labels if wanted.name == answer.main else ()
    return best_classes(wanted.name, array, wanted.classes, labels)


def _to_flat(name: str, array: NDArray[Any]) -> object:
    """Make the list of an output's values, row by row."""
    if array.dtype.kind in "OSU":
        try:
            return to_texts(array).ravel().tolist()
        except BackendError as ex:
            raise InvalidInput(
                f"output {name!r} holds bytes that are no text in UTF-8; ask for it"
                " with the parameter binary_data"
            ) from ex
    if not is_finite(array):
        raise InvalidInput(
            f"output {name!r} holds NaN or infinity, which JSON cannot carry; ask for"
            " it with the parameter binary_data, or look at the input's range"
        )
    return array.ravel()
