"""The line of curl is answered by the service that holds the model."""

import contextlib
import io
import json
import shlex

import numpy as np
import pytest

from runtime.cli.asking import curl_line
from tests.examples import linear_onnx, mixed_onnx, write_bundle
from tests.runtime.graphs import (
    half_plus_two,
    identity,
    texts_and_flags,
    total,
    two_inputs,
)

URL = "http://localhost:8083/base"


@pytest.fixture
def line_of(services):
    """Return a function that publishes an ONNX, and gives the line that asks it."""

    def publish(content, is_pinned=False, **params):
        params = {"img_channels": 0, "labels": "", **params}
        services.store.install(
            lambda staged: write_bundle(
                staged, name="net", onnx_bytes=content, params=params, labels=()
            )
        )
        number = services.store.newest("net").number
        services.publisher.set_label("net", "stable", number)
        version = services.catalogue.version("net", number)
        return curl_line(URL, json.loads(json.dumps(version)), is_pinned=is_pinned)

    return publish


def body_of(line):
    """Return the body that a line sends, as the shell would make it."""
    before, _, after = line.rpartition(" | ")
    words = shlex.split(after)
    assert words[0] == "curl"
    if before:
        program = shlex.split(before)
        assert program[:2] == ["python3", "-c"]
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(program[2], {})
        return output.getvalue()
    return words[words.index("-d") + 1]


def test_a_model_of_numbers_and_texts_is_sent_a_row(line_of, client):
    line = line_of(mixed_onnx(), features=["pt", "part", "njet"])
    assert json.loads(body_of(line)) == {
        "model": "net",
        "keys": ["pt", "part", "njet"],
        "values": [0, "a", 0],
    }
    assert client.simulate_post("/predict/json", body=body_of(line)).json == [0, 0]


def test_a_model_of_pictures_is_sent_one(line_of):
    line = line_of(linear_onnx(), img_channels=1)
    assert line == f"curl {URL}/predict/image -F image=@picture.png -F model=net"


def test_a_row_is_sent_to_a_model_of_rows(line_of, client):
    line = line_of(total("n", 3))
    assert line == (
        f"curl {URL}/predict/json -d '" + '{"model": "net", "values": [0, 0, 0]}' + "'"
    )
    reply = client.simulate_post("/predict/json", body=body_of(line))
    assert reply.json == [0.0]


def test_the_values_of_a_row_are_named_where_the_model_names_them(line_of, client):
    line = line_of(identity(1, "n", 2), features=["it's", "ü"])
    assert json.loads(body_of(line))["keys"] == ["it's", "ü"]
    reply = client.simulate_post("/predict/json", body=body_of(line))
    assert reply.json == [0.0, 0.0]


def test_a_long_row_is_made_by_a_program(line_of, client):
    line = line_of(total("n", 3, 200, 2))
    assert len(line) < 200
    assert json.loads(body_of(line)) == {"model": "net", "values": [0] * 1200}
    reply = client.simulate_post("/predict/json", body=body_of(line))
    assert reply.json == [0.0]


@pytest.mark.parametrize(
    ("content", "inputs"),
    [
        (two_inputs(), {"a": [[0, 0]], "b": [[0, 0]]}),
        (texts_and_flags(), {"text": ["a"], "flag": [False]}),
    ],
)
def test_several_inputs_are_sent_by_their_names(line_of, client, content, inputs):
    line = line_of(content)
    assert json.loads(body_of(line)) == {"model": "net", "inputs": inputs}
    reply = client.simulate_post("/predict/json", body=body_of(line))
    assert reply.status_code == 200, reply.text


def test_long_named_inputs_are_made_by_a_program(line_of, client):
    content = identity(8, "n", 30)  # texts
    line = line_of(content)
    assert json.loads(body_of(line))["inputs"] == {"x": [["a"] * 30]}
    reply = client.simulate_post("/predict/json", body=body_of(line))
    assert np.shape(reply.json["outputs"]["y"]) == (1, 30)


def test_long_flags_are_written_as_python_has_them(line_of, client):
    line = line_of(identity(9, "n", 30))  # flags
    assert json.loads(body_of(line))["inputs"] == {"x": [[False] * 30]}
    reply = client.simulate_post("/predict/json", body=body_of(line))
    assert reply.status_code == 200, reply.text


def test_numbers_without_a_row_are_sent_too(line_of, client):
    reply = client.simulate_post(
        "/predict/json", body=body_of(line_of(half_plus_two()))
    )
    assert reply.json == [2.0]


def test_a_version_that_does_not_serve_is_named(line_of):
    line = line_of(linear_onnx(), is_pinned=True, img_channels=1)
    assert f"'{URL}/predict/image?version=1'" in line


def test_a_model_whose_inputs_nobody_knows_has_no_line():
    assert (
        curl_line(URL, {"name": "net", "version": 1, "params": {}, "inputs": None})
        == ""
    )
