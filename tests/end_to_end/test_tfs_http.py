"""Clients of TensorFlow Serving's REST API ask real servers, as its documents ask."""

import base64
import json
import re
import socket

import httpx
import pytest

from tests.end_to_end.conftest import BIN, CLIENT, PATIENCE, RUNTIME, run, serving
from tests.examples import write_bundle
from tests.forms import png
from tests.runtime.graphs import half_plus_two, two_inputs

SERVERS = {
    "runtime serve": f"{RUNTIME} --workers 1",
    "waitress": f"{BIN}/waitress-serve --listen=127.0.0.1:0 runtime.app:app",
}


@pytest.fixture(scope="module", params=SERVERS.values(), ids=SERVERS)
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfs")
    models = folder / "models"
    write_bundle(models / "linear" / "1")
    for name, content in (("half_plus_two", half_plus_two()), ("pair", two_inputs())):
        write_bundle(
            models / name / "00000123",
            name=name,
            onnx_bytes=content,
            labels=(),
            params={"img_channels": 0, "labels": ""},
        )
    with serving(request.param, folder) as server:
        yield server


def post(server, path, body):
    return CLIENT.post(f"{server.url}/v1/models/{path}", content=body)


# These replies stand in the documents of TensorFlow Serving; the model is x/2 + 2.
def test_the_documents_of_tensorflow_serving(server):
    url = f"{server.url}/v1/models/half_plus_two"
    status = json.loads(
        """{
         "model_version_status": [
          {
           "version": "123",
           "state": "AVAILABLE",
           "status": {
            "error_code": "OK",
            "error_message": ""
           }
          }
         ]
        }"""
    )
    assert CLIENT.get(url).json() == status
    rows = post(server, "half_plus_two:predict", '{"instances": [1.0, 2.0, 5.0]}')
    assert rows.json() == {"predictions": [2.5, 3.0, 4.5]}
    columns = post(server, "half_plus_two:predict", '{"inputs": [1.0, 2.0, 5.0]}')
    assert columns.json() == {"outputs": [2.5, 3.0, 4.5]}
    regression = post(
        server,
        "half_plus_two:regress",
        '{"signature_name": "tensorflow/serving/regress",'
        ' "examples": [{"x": 1.0}, {"x": 2.0}]}',
    )
    assert regression.json() == {"results": [2.5, 3.0]}
    unknown = post(server, "half:predict", '{"instances": [1.0, 5.0]}')
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "application/json"
    assert unknown.json() == {"error": "Servable not found for request: Latest(half)"}


def test_numbers_that_are_none(server):
    reply = post(
        server, "half_plus_two:predict", '{"instances": [NaN, -Infinity, 0.4]}'
    )
    assert reply.text == '{"predictions":[NaN,-Infinity,2.2]}\n'


def test_several_inputs_and_a_picture(server):
    rows = '{"instances": [{"a": [1, 2], "b": [3, 4]}]}'
    reply = post(server, "pair/versions/123:predict", rows)
    assert reply.json() == {"predictions": [{"sum": [4.0, 6.0], "less": [2, 3]}]}
    picture = base64.b64encode(png([[1, 2], [3, 4]])).decode()
    reply = post(server, "linear:predict", f'{{"instances": [{{"b64": "{picture}"}}]}}')
    assert reply.json() == {"predictions": [[1.0, 2.0, 7.0]]}
    example = f'{{"examples": [{{"pixels": {{"b64": "{picture}"}}}}]}}'
    assert post(server, "linear:classify", example).json() == {
        "results": [[["zero", 1.0], ["one", 2.0], ["two", 7.0]]]
    }


def test_metadata_and_labels(server):
    url = f"{server.url}/v1/models/half_plus_two"
    described = CLIENT.get(f"{url}/metadata").json()
    assert described["model_spec"]["version"] == "123"
    signatures = described["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["outputs"]["y"]["dtype"] == "DT_FLOAT"
    labels = f"{server.url}/models/half_plus_two/labels/canary"
    assert CLIENT.put(labels, json={"version": 123}).status_code == 200
    reply = post(server, "half_plus_two/labels/canary:predict", '{"inputs": [2]}')
    assert reply.json() == {"outputs": [3.0]}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "half_plus_two:explain", b"{}", 400, "Malformed request: POST /v1/"),
        ("PUT", "half_plus_two:predict", b"{}", 400, "Malformed request: PUT /v1/"),
        ("GET", "half_plus_two:predict", b"", 400, "Malformed request: GET /v1/"),
        ("POST", "half_plus_two:predict", b"", 400, "The document is empty"),
        ("POST", "half_plus_two:predict", b'{"instances": [1', 400, "JSON Parse error"),
        ("POST", "pair:predict", b'{"instances": [1]}', 400, "is a plain list"),
        ("GET", "other", b"", 404, "Could not find any versions of model other"),
    ],
)
def test_bad_requests_over_the_wire(server, method, path, body, status, error):
    reply = CLIENT.request(method, f"{server.url}/v1/models/{path}", content=body)
    assert reply.status_code == status
    assert error in reply.json()["error"]


def test_a_body_in_chunks_and_a_connection_that_goes_on(server):
    def pieces():
        yield b'{"instances": ['
        yield b"1.0, 2.0]}"

    url = f"{server.url}/v1/models/half_plus_two:predict"
    with httpx.Client(timeout=PATIENCE) as client:
        for _ in range(3):
            reply = client.post(url, content=pieces())
            assert reply.json() == {"predictions": [2.5, 3.0]}
            refused = client.post(url, content=b"[")
            assert refused.status_code == 400


def test_a_stream_that_is_cut_in_the_middle(server):
    host, port = server.url.removeprefix("http://").split(":")
    head = b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nHost: a\r\n"
    with socket.create_connection((host, int(port)), PATIENCE) as cut:
        cut.sendall(head + b'Content-Length: 100\r\n\r\n{"instances": [1')
    reply = post(server, "half_plus_two:predict", '{"instances": [1]}')
    assert reply.json() == {"predictions": [2.5]}


def test_curl_as_the_documents_type_it(server, tmp_path):
    said = run(
        "curl -sS -d '{\"instances\": [1.0,2.0,5.0]}' -X POST"
        f" {server.url}/v1/models/half_plus_two:predict",
        tmp_path,
    )
    assert re.search(r"\[2\.5, ?3\.0, ?4\.5\]", said)
