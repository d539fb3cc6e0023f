"""Arrays become the tensors that a model takes, or a sentence."""

import json

import numpy as np
import pytest

from runtime.backends import TensorSpec
from runtime.prediction.answers import Outputs
from runtime.wire.oip import datatypes
from runtime.wire.oip.reply import write_reply
from runtime.wire.oip.request import InferRequest, read_request
from runtime.wire.oip.tensors import to_input
from tests.tfaas_onnx.talk import PLACE
from tfaas_onnx import NotAService, WrongArgument
from tfaas_onnx.reply import Reply
from tfaas_onnx.tensors import DTYPES, HEADER, Signature, read_outputs, to_body


def written(value, datatype):
    body, length = to_body(Signature({"x": datatype}), {"x": value})
    (described,) = json.loads(body[:length])["inputs"]
    return described["datatype"], described["shape"], body[length:]


def read(described, blob, header=None):
    head = json.dumps({"outputs": described}).encode()
    headers = {HEADER: str(len(head)) if header is None else header}
    path = "/v2/models/a/infer"
    return read_outputs(Reply(PLACE, "POST", path, 200, "OK", headers, head + blob))


def output(datatype, shape, size):
    return {
        "name": "y",
        "datatype": datatype,
        "shape": shape,
        "parameters": {"binary_data_size": size},
    }


def test_the_datatypes_are_those_of_the_service():
    """Neither package imports the other."""
    assert {**DTYPES, "BYTES": np.dtype(object)} == datatypes.DTYPES


@pytest.mark.parametrize("datatype", sorted(DTYPES))
def test_numbers_are_written_and_read_in_little_endian_order(datatype):
    dtype = DTYPES[datatype]
    value = np.array([[0, 1], [1, 0]], dtype.newbyteorder(">"))
    said, shape, blob = written(value, datatype)
    assert (said, shape) == (datatype, [2, 2])
    assert blob == value.astype(dtype).tobytes()
    answer = read([output(datatype, [2, 2], len(blob))], blob)["y"]
    assert answer.dtype == dtype
    assert answer.tolist() == value.tolist()
    answer[0, 0] = 1  # its caller owns it


RANDOM = np.random.default_rng(7)
ARRAYS = {
    **{
        name: RANDOM.integers(0, 2, (3, 0, 2) if name == "INT8" else (3, 2)).astype(
            kind
        )
        for name, kind in DTYPES.items()
    },
    "BYTES": np.array([["a", ""], ["\N{SNOWMAN}", "b" * 300]], object),
}


def test_the_service_reads_what_the_client_writes():
    body, length = to_body(Signature({name: name for name in ARRAYS}), ARRAYS)
    request = read_request(body, str(length))
    assert request.is_binary
    assert [one.name for one in request.inputs] == list(ARRAYS)
    for one in request.inputs:
        spec = TensorSpec(one.name, datatypes.DTYPES[one.datatype], (None, None))
        assert to_input(one, spec).tolist() == ARRAYS[one.name].tolist()


def test_the_client_reads_what_the_service_writes():
    request = InferRequest(None, (), (), True)
    written = write_reply("a", request, Outputs("onnxruntime/CPU", 1, ARRAYS, "", ()))
    headers = {HEADER: str(written.json_bytes)}
    path = "/v2/models/a/infer"
    answer = read_outputs(Reply(PLACE, "POST", path, 200, "OK", headers, written.body))
    assert list(answer) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert answer[name].dtype == array.dtype
        assert answer[name].tolist() == array.tolist()


@pytest.mark.parametrize(
    ("value", "datatype", "numbers"),
    [
        ([1, 2], "FP32", [1.0, 2.0]),
        ([0.5, 2], "FP32", [0.5, 2.0]),
        (np.array([1.5], np.float64), "FP16", [1.5]),
        ([1, 255], "UINT8", [1, 255]),
        ([-1, 2], "INT32", [-1, 2]),
        (np.array([7], np.uint64), "INT8", [7]),
        (np.zeros((0, 2), np.int64), "UINT8", []),
        ([True, False], "FP32", [1.0, 0.0]),
        (3, "INT64", [3]),
    ],
)
def test_numbers_that_fit_are_brought_to_the_dtype(value, datatype, numbers):
    _, _, blob = written(value, datatype)
    assert np.frombuffer(blob, DTYPES[datatype]).tolist() == numbers


def test_a_view_of_an_array_is_written_row_by_row():
    value = np.arange(4, dtype=np.float32).reshape(2, 2).T
    assert written(value, "FP32")[2] == np.float32([0, 2, 1, 3]).tobytes()


@pytest.mark.parametrize(
    ("value", "datatype"),
    [
        ([1, 256], "UINT8"),
        ([-1], "UINT64"),
        ([0.5], "INT64"),
        ([1j], "FP32"),
        ([2], "BOOL"),
        ([1], "BYTES"),
        ([[1], [1, 2]], "FP32"),
        (np.array([None]), "BYTES"),
    ],
)
def test_what_would_change_is_a_sentence(value, datatype):
    with pytest.raises(WrongArgument, match="^inputs hold .*'x'"):
        written(value, datatype)


def test_texts_are_written_with_their_lengths():
    said, shape, blob = written([["a", "bé"]], "BYTES")
    assert (said, shape) == ("BYTES", [1, 2])
    assert blob == b"\x01\0\0\0a" + b"\x03\0\0\0b\xc3\xa9"
    answer = read([output("BYTES", [1, 2], len(blob))], blob)["y"]
    assert answer.tolist() == [["a", "bé"]]


def test_bytes_that_are_no_text_stay_bytes():
    blob = written(np.array([b"\xff\0"], object), "BYTES")[2]
    assert read([output("BYTES", [1], len(blob))], blob)["y"].tolist() == [b"\xff\0"]


def test_a_model_with_several_inputs_takes_names():
    signature = Signature({"ids": "INT64", "text": "BYTES"})
    assert signature.named({"ids": [1]}) == {"ids": [1]}
    with pytest.raises(WrongArgument, match="must be a dict, .* several: ids, text"):
        signature.named([1])
    with pytest.raises(WrongArgument, match="have 'id', and the model has ids, text"):
        signature.named({"id": [1]})


@pytest.mark.parametrize(
    ("described", "blob", "header"),
    [
        ([output("FP32", [2], 8)], b"1234", None),
        ([output("FP32", [2], 4)], b"1234", None),
        ([output("FP32", [1], -4)], b"1234", None),
        ([output("FP32", [-1, -1], 4)], b"1234", None),
        ([output("FP32", [1 << 62, 1 << 62], 4)], b"1234", None),
        ([output("FP8", [4], 4)], b"1234", None),
        ([output("BYTES", [1 << 40], 4)], b"1234", None),
        ([output("BYTES", [1], 8)], b"\xff\0\0\x001234", None),
        ([output("BYTES", [1], 5)], b"\0\0\0\x001", None),
        ([output("BYTES", [2], 8)], b"\x04\0\0\x001234", None),
        ([{"name": "y", "datatype": "FP32", "shape": [1]}], b"", None),
        ([3], b"", None),
        ([], b"", ""),
        ([], b"", "-1"),
        ([], b"", "3"),
        ([], b"", "9" * 40),
    ],
)
def test_a_reply_that_contradicts_itself_is_another_programs(described, blob, header):
    with pytest.raises(NotAService):
        read(described, blob, header)
