"""The model of numbers and texts (``tests.examples``) is asked through each door."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from runtime.programs.tensorflow_pb2 import TensorProto
from runtime.wire.oip import inference_pb2 as oip
from runtime.wire.tfs import serving_pb2 as tfs
from tests.examples import PARTS

FEATURES = ["pt", "part", "njet"]
ROWS = [[0.5, "mu", 2], [None, "τ", 0], [-1.5, None, 1], [4, "no such part", 7]]
# pt plus the number of the part, and njet. A pt that is missing counts as -1.
ANSWERS = [[20.5, 2.0], [29.0, 0.0], [-1.5, 1.0], [4.0, 7.0]]
# JSON has no NaN, so only rows have one that is missing.
WHOLE = [0, 2, 3]
COLUMNS = {
    "pt": np.array([[0.5], [np.nan], [-1.5], [4]], np.float32),
    "part": np.array([["mu"], ["τ"], [""], ["no such part"]], object),
    "njet": np.array([[2], [0], [1], [7]], np.int64),
}
_DATATYPES = {"pt": "FP32", "part": "BYTES", "njet": "INT64"}
_OF_TENSORFLOW = {"pt": "DT_FLOAT", "part": "DT_STRING", "njet": "DT_INT64"}


def mixed_keras() -> Any:
    """Return the model in Keras, which this imports."""
    import keras
    from keras import layers, ops

    pt = keras.Input((1,), name="pt")
    part = keras.Input((1,), dtype="string", name="part")
    njet = keras.Input((1,), dtype="int64", name="njet")
    known = ops.where(ops.isnan(pt), -1.0, pt)
    place = ops.cast(layers.StringLookup(vocabulary=[*PARTS])(part), "float32")
    scores = [known + 10.0 * place, ops.cast(njet, "float32")]
    return keras.Model([pt, part, njet], layers.Concatenate()(scores))


class Door(NamedTuple):
    """A request, and the way to its answer.

    Attributes:
        name: the name of the door.
        path: the path.
        body: the body.
        headers: the headers.
        read: reads the scores off the content of the reply.
        rows: the rows of ``ROWS`` that are asked.
    """

    name: str
    path: str
    body: bytes
    headers: dict[str, str]
    read: Callable[[Any], Any]
    rows: list[int]

    @property
    def answers(self) -> list[list[float]]:
        """The scores of the rows that are asked."""
        return [ANSWERS[row] for row in self.rows]


def doors(model: str) -> list[Door]:
    """Return each door of HTTP."""
    return list(_doors(model))


def _doors(model: str) -> Iterator[Door]:
    every = [*range(len(ROWS))]
    columns = {name: array[WHOLE].tolist() for name, array in COLUMNS.items()}

    def made(name: str, path: str, body: Any, read: Any, rows: list[int]) -> Door:
        return Door(name, path, json.dumps(body).encode(), {}, read, rows)

    asked = {"model": model, "keys": FEATURES[::-1]}
    values = [row[::-1] for row in ROWS]
    yield made("rows", "/predict/json", {**asked, "values": values}, list, every)
    one = {**asked, "values": values[0]}
    yield made("row", "/json", one, lambda told: [told], [0])
    yield made(
        "inputs",
        "/predict/json",
        {"model": model, "inputs": columns},
        lambda told: next(iter(told["outputs"].values())),
        WHOLE,
    )
    tensors = [
        {"name": name, "datatype": _DATATYPES[name], "shape": [len(WHOLE), 1]}
        for name in COLUMNS
    ]
    yield made(
        "Open Inference Protocol",
        f"/v2/models/{model}/infer",
        {"inputs": [{**one, "data": columns[one["name"]]} for one in tensors]},
        lambda told: np.reshape(told["outputs"][0]["data"], (-1, 2)).tolist(),
        WHOLE,
    )
    yield _binary(model, every)
    items = [
        dict(zip(columns, item, strict=True))
        for item in zip(*columns.values(), strict=True)
    ]
    yield made(
        "TensorFlow Serving by rows",
        f"/v1/models/{model}:predict",
        {"instances": items},
        lambda told: told["predictions"],
        WHOLE,
    )
    yield made(
        "TensorFlow Serving by columns",
        f"/v1/models/{model}:predict",
        {"inputs": {name: array.tolist() for name, array in COLUMNS.items()}},
        lambda told: told["outputs"],
        every,
    )
    examples = [
        {"pt": float(pt[0]), "part": part[0], "njet": njet[0]}
        for pt, part, njet in zip(*columns.values(), strict=True)
    ]
    yield made(
        "TensorFlow Serving by examples",
        f"/v1/models/{model}:classify",
        {"examples": examples},
        lambda told: [[score for _, score in one] for one in told["results"]],
        WHOLE,
    )


def oip_request(model: str) -> oip.ModelInferRequest:
    """Return the Open Inference Protocol's message for all rows, with raw bytes."""
    message = oip.ModelInferRequest(model_name=model)
    for name, array in COLUMNS.items():
        message.inputs.add(name=name, datatype=_DATATYPES[name], shape=array.shape)
        message.raw_input_contents.append(_blob(array))
    return message


def oip_scores(message: oip.ModelInferResponse) -> list[list[float]]:
    """Return the scores of an answer."""
    (raw,) = message.raw_output_contents
    return np.frombuffer(raw, np.float32).reshape(-1, 2).tolist()


def tfs_request(model: str) -> tfs.PredictRequest:
    """Return TensorFlow Serving's message for all rows."""
    message = tfs.PredictRequest(model_spec={"name": model})
    for name, array in COLUMNS.items():
        shape = {"dim": [{"size": side} for side in array.shape]}
        tensor = TensorProto(dtype=_OF_TENSORFLOW[name], tensor_shape=shape)
        if array.dtype == object:
            tensor.string_val.extend(text.encode() for text in array.ravel())
        else:
            tensor.tensor_content = array.tobytes()
        message.inputs[name].CopyFrom(tensor)
    return message


def _blob(array: np.ndarray) -> bytes:
    if array.dtype != object:
        return array.tobytes()
    texts = [text.encode() for text in array.ravel()]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _binary(model: str, rows: list[int]) -> Door:
    blobs, tensors = b"", []
    for name, array in COLUMNS.items():
        blob = _blob(array)
        tensors.append(
            {
                "name": name,
                "datatype": _DATATYPES[name],
                "shape": array.shape,
                "parameters": {"binary_data_size": len(blob)},
            }
        )
        blobs += blob
    head = json.dumps({"inputs": tensors}).encode()
    return Door(
        "Open Inference Protocol in binary",
        f"/v2/models/{model}/infer",
        head + blobs,
        {"Inference-Header-Content-Length": str(len(head))},
        lambda told: np.reshape(told["outputs"][0]["data"], (-1, 2)).tolist(),
        rows,
    )
