"""Inferences of the Open Inference Protocol v2 through the application."""

import base64
import gzip
import json
import struct
import zlib

import numpy as np
import pytest

from runtime.http.resources.v2_infer import _is_quick
from runtime.prediction.answers import Outputs
from runtime.wire.oip.head import Wanted
from runtime.wire.oip.request import InferRequest
from tests.examples import WEIGHTS
from tests.forms import form, png
from tests.runtime.graphs import identity, one_number, texts_and_flags, two_inputs

IMAGE = np.array([1, 2, 3, 4], np.float32).reshape(1, 2, 2, 1)
SCORES = (IMAGE.reshape(1, 4) @ WEIGHTS).tolist()
ONE = {
    "inputs": [
        {
            "name": "pixels",
            "shape": [1, 2, 2, 1],
            "datatype": "FP32",
            "data": [1, 2, 3, 4],
        }
    ]
}
LENGTH = "Inference-Header-Content-Length"


def binary(array=IMAGE, **more):
    blob = array.tobytes()
    one = {
        "name": "pixels",
        "shape": array.shape,
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(blob)},
    }
    head = json.dumps({"inputs": [one], **more}).encode()
    return {"body": head + blob, "headers": {LENGTH: str(len(head))}}


@pytest.fixture
def infer(client, publish):
    publish("linear", channels=1, labels=("zero", "one", "two"))

    def infer(content=None, path="linear", **given):
        if content is not None:
            given["body"] = json.dumps(content).encode()
        return client.simulate_post(f"/v2/models/{path}/infer", **given)

    return infer


def test_json(infer):
    reply = infer({**ONE, "id": "7"})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert LENGTH.lower() not in reply.headers
    assert reply.headers["x-model-version"] == "1"
    assert reply.json == {
        "model_name": "linear",
        "model_version": "1",
        "id": "7",
        "outputs": [
            {"name": "scores", "datatype": "FP32", "shape": [1, 3], "data": SCORES[0]}
        ],
    }


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "text/html", None]
)
def test_the_content_type_does_not_matter(infer, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    assert infer(ONE, headers=headers).status_code == 200


def test_binary_in_and_out(infer):
    reply = infer(**binary(id="7", parameters={"binary_data_output": True}))
    assert reply.headers["content-type"] == "application/octet-stream"
    size = int(reply.headers[LENGTH.lower()])
    head = json.loads(reply.content[:size])
    assert head["id"] == "7"
    (output,) = head["outputs"]
    assert output["parameters"] == {"binary_data_size": 12}
    assert "data" not in output
    assert np.frombuffer(reply.content[size:], "<f4").tolist() == SCORES[0]


def test_a_raw_body(infer):
    reply = infer(body=IMAGE.tobytes(), headers={LENGTH: "0"})
    size = int(reply.headers[LENGTH.lower()])
    assert np.frombuffer(reply.content[size:], "<f4").tolist() == SCORES[0]


def test_a_version_of_the_path(infer, publish):
    publish("linear", labels=("zero", "one", "two"))
    assert infer(ONE).json["model_version"] == "2"
    assert infer(ONE, "linear/versions/1").json["model_version"] == "1"
    assert infer(ONE, "linear/versions/3").status_code == 404
    assert infer(ONE, "linear/versions/one").status_code == 404


def test_an_unknown_model(infer):
    reply = infer(ONE, "other")
    assert reply.status_code == 404
    assert reply.json.keys() == {"error"}


def test_several_inputs_and_outputs_of_a_model(infer, publish):
    publish("pair", two_inputs())
    inputs = [
        {"name": "b", "shape": [1, 2], "datatype": "INT64", "data": [[3, 4]]},
        {"name": "a", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2]]},
    ]
    outputs = [{"name": "less"}, {"name": "sum"}]
    reply = infer({"inputs": inputs, "outputs": outputs}, "pair").json
    assert [(one["name"], one["data"]) for one in reply["outputs"]] == [
        ("less", [2, 3]),
        ("sum", [4, 6]),
    ]
    one = infer({"inputs": inputs, "outputs": outputs[:1]}, "pair").json
    assert [one["name"] for one in one["outputs"]] == ["less"]
    inputs[0] |= {"shape": [2, 2], "data": [1, 2, 3, 4]}
    # Two of b go with one of a.
    assert infer({"inputs": inputs}, "pair").status_code == 200


def test_texts_and_flags(infer, publish):
    publish("texts", texts_and_flags())
    inputs = [
        {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "é\0"]},
        {"name": "flag", "shape": [2], "datatype": "BOOL", "data": [True, False]},
    ]
    same, other = infer({"inputs": inputs}, "texts").json["outputs"]
    assert (same["datatype"], same["data"]) == ("BYTES", ["a", "é\0"])
    assert (other["datatype"], other["data"]) == ("BOOL", [False, True])


def test_half_floats(infer, publish):
    publish("half", identity(10))  # onnx.TensorProto.FLOAT16
    one = {"name": "x", "shape": [1, 3], "datatype": "FP16", "data": [0.5, 1, -2]}
    (output,) = infer({"inputs": [one]}, "half").json["outputs"]
    assert (output["datatype"], output["data"]) == ("FP16", [0.5, 1, -2])


def test_the_best_classes(infer):
    asked = [{"name": "scores", "parameters": {"classification": 2}}]
    (output,) = infer({**ONE, "outputs": asked}).json["outputs"]
    assert output["data"] == ["7.0:2:two", "2.0:1:one"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 2])


PICTURE = png([[1, 2], [3, 4]])


def pictures(*data, **more):
    one = {"name": "pixels", "shape": [len(data)], "datatype": "BYTES", "data": data}
    return {"inputs": [one], **more}


def test_an_image_model_takes_pictures(infer, client):
    text = base64.b64encode(PICTURE).decode()
    reply = infer(pictures(text, text))
    (output,) = reply.json["outputs"]
    assert output["name"] == "scores"
    assert output["shape"] == [2, 3]
    assert output["data"] == SCORES[0] * 2
    # TFaaS's own door answers the same numbers.
    body, headers = form(image=PICTURE, model="linear")
    own = client.simulate_post("/predict/image", body=body, headers=headers)
    assert own.json == output["data"][:3]
    blob = struct.pack("<I", len(PICTURE)) + PICTURE
    head = pictures(PICTURE.hex())
    del head["inputs"][0]["data"]
    head["inputs"][0]["parameters"] = {"binary_data_size": len(blob)}
    head = json.dumps(head).encode()
    reply = infer(body=head + blob, headers={LENGTH: str(len(head))})
    assert reply.json["outputs"][0]["data"] == SCORES[0]


def test_what_is_no_picture_is_refused(infer, publish):
    reply = infer(pictures(base64.b64encode(b"text").decode()))
    assert reply.status_code == 400
    assert "image" in reply.json["error"]
    publish("rows")
    assert "takes FP32" in infer(pictures("AAAA"), "rows").json["error"]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP", gzip.compress)],
)
def test_a_body_may_be_packed(infer, encoding, pack):
    given = binary()
    given["body"] = pack(given["body"])
    given["headers"]["Content-Encoding"] = encoding
    assert infer(**given).json["outputs"][0]["data"] == SCORES[0]


BODY = json.dumps(ONE).encode()
# The time that gzip writes by default would give the tests other names each second.
GZIPPED = gzip.compress(BODY, mtime=0)


@pytest.mark.parametrize(
    ("encoding", "body", "status", "words"),
    [
        ("gzip", BODY, 400, "no gzip"),
        ("gzip", GZIPPED[:-1], 400, "ends before the end"),
        ("gzip", GZIPPED + b"0", 400, "goes on after"),
        ("deflate", zlib.compress(b""), 400, "no body"),
        ("deflate", GZIPPED, 400, "no deflate"),
        ("gzip", gzip.compress(bytes(100_001)), 413, "unpacks to more than 100000"),
        ("gzip", gzip.compress(bytes(99_999)), 400, "not JSON"),
        ("br", BODY, 415, "send gzip, deflate"),
        ("gzip, deflate", BODY, 415, "is not taken here"),
    ],
)
def test_a_packed_body_that_is_wrong_is_refused(infer, encoding, body, status, words):
    reply = infer(body=body, headers={"Content-Encoding": encoding})
    assert reply.status_code == status
    assert words in reply.json["error"]


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, deflate;q=0.5, gzip;q=0", "deflate"),
        ("*", "gzip"),
        ("br", None),
        ("gzip;q=0, *;q=0.0", None),
    ],
)
def test_a_long_reply_is_packed_as_the_client_accepts(infer, accepted, encoding):
    many = np.repeat(IMAGE, 200, axis=0)
    given = binary(many)
    given["headers"]["Accept-Encoding"] = accepted
    reply = infer(**given)
    assert reply.headers.get("content-encoding") == encoding
    unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress}
    content = unpack.get(encoding, bytes)(reply.content)
    assert json.loads(content)["outputs"][0]["data"] == SCORES[0] * 200


def test_a_short_reply_is_sent_as_it_is(infer):
    reply = infer(ONE, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in reply.headers


def test_a_time_that_is_over_is_told(infer):
    reply = infer({**ONE, "parameters": {"timeout": 1}})
    assert reply.status_code == 504
    assert infer({**ONE, "parameters": {"timeout": 10_000_000}}).status_code == 200


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"body": b""}, "no body"),
        ({"body": b'{"inputs":[]}'}, "'inputs' is empty"),
        ({"body": b"{}", "headers": {LENGTH: "abc"}}, "is 'abc'"),
        ({"body": BODY + b"rest"}, "not JSON"),
    ],
)
def test_a_wrong_request_gets_400(infer, given, words):
    reply = infer(**given)
    assert reply.status_code == 400
    assert words in reply.json["error"]


def test_numbers_that_json_cannot_carry(infer):
    nan = np.full_like(IMAGE, np.nan)
    reply = infer(**binary(nan))
    assert reply.status_code == 400
    assert "binary_data" in reply.json["error"]
    reply = infer(**binary(nan, parameters={"binary_data_output": True}))
    size = int(reply.headers[LENGTH.lower()])
    assert np.isnan(np.frombuffer(reply.content[size:], "<f4")).all()


def test_pictures_and_numbers_give_the_same_output(client, publish):
    """One number for each item is no row of one number, and NaN is for binary alone."""
    publish("means", one_number(), channels=1)
    publish("roots", one_number("Log"), channels=1)
    picture = base64.b64encode(png([[0, 0], [0, 0]])).decode()
    encoded = {"name": "x", "shape": [1], "datatype": "BYTES", "data": [picture]}
    zeros = {"name": "x", "shape": [1, 2, 2, 1], "datatype": "FP32", "data": [0] * 4}

    def ask(name, one, **more):
        body = json.dumps({"inputs": [one], **more}).encode()
        return client.simulate_post(f"/v2/models/{name}/infer", body=body)

    assert ask("means", encoded).json == ask("means", zeros).json
    assert ask("means", encoded).json["outputs"][0]["shape"] == [1]
    for one in (encoded, zeros):
        refused = ask("roots", one)
        assert refused.status_code == 400
        assert "NaN or infinity" in refused.json["error"]
        reply = ask("roots", one, parameters={"binary_data_output": True})
        assert reply.content.endswith(struct.pack("<f", float("-inf")))


@pytest.mark.parametrize(
    ("size", "classes", "is_quick"),
    [(1000, 1, True), (1001, 1, False), (20_000, 0, True), (20_001, 0, False)],
)
def test_a_long_reply_is_not_quick(size, classes, is_quick):
    request = InferRequest(None, (), (Wanted("y", False, classes),), False)
    outputs = {"y": np.zeros((1, size), np.float32)}
    assert _is_quick(request, Outputs("fake", 1, outputs, "y", ())) is is_quick
