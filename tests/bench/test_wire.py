"""Requests and answers of each protocol are as the protocol says."""

import json

import numpy as np
import pytest

from bench import wire
from bench.errors import BenchError
from bench.live import compare
from bench.wire import Asked, scores

PICTURES = [b"\x89PNG one", b"\x89PNG two"]
ASKED = Asked(
    "digits",
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
