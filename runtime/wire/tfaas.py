"""TFaaS's protobuf messages as rows and scores, without a server.

Protobuf is imported when a message is read or written. The import takes 2 MB of each
worker and 8 ms; a service whose clients speak JSON need not pay for that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.errors import InvalidInput


@dataclass(frozen=True)
class Row:
    """TFaaS's message Row.

    Attributes:
        keys: the names of the values, in their order.
        values: the numbers, which were float32 in the message.
        model: the model's name; empty if the message names none.
    """

    keys: list[str]
    values: list[float]
    model: str


def read_row(data: bytes) -> Row:
    """Read a message Row.

    Raises:
        InvalidInput: the bytes are no such message.
    """
    from google.protobuf.message import DecodeError

    from runtime.wire import tfaas_pb2

    try:
        message = tfaas_pb2.Row.FromString(data)
    except DecodeError as ex:
        raise InvalidInput(
            "the body is no protobuf message Row of TFaaS's tfaas.proto"
        ) from ex
    return Row(list(message.key), list(message.value), message.model)


def write_predictions(classes: Iterable[tuple[str, float]]) -> bytes:
    """Write a message Predictions.

    Args:
        classes: the label and the probability of each class.

    Raises:
        InvalidInput: a number does not fit into the message's float32.
    """
    from runtime.wire.tfaas_pb2 import Class, Predictions

    message = Predictions(
        prediction=[
            Class(label=label, probability=probability)
            for label, probability in classes
        ]
    )
    if not all(math.isfinite(c.probability) for c in message.prediction):
        raise InvalidInput(
            "the model answered a number beyond float32, but Predictions holds float32"
            " numbers; ask /predict/json"
        )
    body: bytes = message.SerializeToString()
    return body
