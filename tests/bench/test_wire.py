"""Requests and answers of each protocol are as the protocol says."""

import json

import numpy as np
import pytest

from bench import wire
from bench.errors import BenchError
from bench.live import compare
from bench.wire import Asked, grpc_scores, scores

PICTURES = [b"\x89PNG one", b"\x89PNG two"]
ASKED = Asked(
    "digits",
    "img",
    PICTURES,
    np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1),
    np.array([[0.25, 0.75], [0.5, 0.5]], np.float32),
)


def test_form_has_a_part_for_each_image_and_one_for_the_model():
    request = wire.form("/image")(ASKED)
    assert request.body.count(b'name="image"') == 2
    assert b'name="model"\r\n\r\ndigits\r\n' in request.body
    assert b"model" not in wire.form("/image", model=False)(ASKED).body


def test_one_row_of_tfaas_is_flat():
    one = json.loads(wire.tfaas_json("/json")(ASKED.first(1)).body)
    assert one == {"keys": [], "values": [0, 1, 2, 3], "model": "digits"}
    two = json.loads(wire.tfaas_json("/json")(ASKED).body)
    assert two["values"] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_binary_of_v2_says_where_its_head_ends():
    request = wire.v2_binary("/infer")(ASKED)
    length = int(request.headers["Inference-Header-Content-Length"])
    head, data = json.loads(request.body[:length]), request.body[length:]
    (tensor,) = head["inputs"]
    assert tensor["shape"] == [2, 1]
    assert tensor["parameters"]["binary_data_size"] == len(data)
    assert data[:4] == len(PICTURES[0]).to_bytes(4, "little")


@pytest.mark.parametrize(
    "reply",
    [
        [[0.25, 0.75], [0.5, 0.5]],
        {"predictions": [[0.25, 0.75], [0.5, 0.5]]},
        {"outputs": [{"name": "scores", "data": [0.25, 0.75, 0.5, 0.5]}]},
    ],
)
def test_answer_of_any_protocol_is_compared(reply):
    compare(scores(json.dumps(reply).encode()), ASKED)


@pytest.mark.parametrize("reply", [b"<html>", b'{"error": "no"}', b'{"outputs": []}'])
def test_answer_without_scores_is_one_sentence(reply):
    with pytest.raises(BenchError, match="the answer holds no scores"):
        scores(reply)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([0.25, 0.75], "it answers 2 numbers, and not 4"),
        ([0.25, 0.75, 0.5, 0.6], r"its answer is 1.0e-01 off onnxruntime's"),
        ([0.25, 0.75, 0.5, float("nan")], "its answer is nan off"),
    ],
)
def test_wrong_answer_is_one_sentence(given, sentence):
    with pytest.raises(BenchError, match=sentence):
        compare(np.array(given, np.float32), ASKED)


def test_tensor_of_v2_is_binary_floats_and_asks_for_such():
    request = wire.v2_tensor("/v2/models/{model}/infer")(ASKED)
    assert request.path == "/v2/models/digits/infer"
    length = int(request.headers["Inference-Header-Content-Length"])
    assert json.loads(request.body[:length]) == {
        "inputs": [
            {
                "name": "img",
                "shape": [2, 2, 2, 1],
                "datatype": "FP32",
                "parameters": {"binary_data_size": 32},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
    assert np.frombuffer(request.body[length:], "<f4").tolist() == [*range(8)]


def test_message_of_grpc_follows_its_length():
    request = wire.v2_grpc("model", "pixels")(ASKED.first(1))
    # The field numbers are those of the protocol: model_name is 1, inputs is 5 with
    # name 1, datatype 2 and shape 3, and raw_input_contents is 7.
    tensor = b"\x0a\x06pixels\x12\x04FP32\x1a\x04\x01\x02\x02\x01"
    message = (
        b"\x0a\x05model"
        + b"\x2a"
        + bytes([len(tensor)])
        + tensor
        + b"\x3a\x10"
        + np.arange(4, dtype="<f4").tobytes()
    )
    assert request.body == bytes([0, 0, 0, 0, len(message)]) + message
    assert request.is_grpc


def test_binary_scores_follow_their_json():
    head = b'{"outputs":[{"name":"y","parameters":{"binary_data_size":8}}]}'
    data = np.array([0.25, 0.75], "<f4").tobytes()
    assert scores(head + data).tolist() == [0.25, 0.75]
    with pytest.raises(BenchError, match="no scores"):
        scores(head + data[:7])


def test_scores_of_grpc_are_raw():
    # raw_output_contents is field 6.
    data = np.array([0.25, 0.75], "<f4").tobytes()
    assert grpc_scores(b"\x32\x08" + data).tolist() == [0.25, 0.75]
    for reply in (b"", b"\x32\x07" + data[:7], b"\xff"):
        with pytest.raises(BenchError, match="no scores"):
            grpc_scores(reply)
