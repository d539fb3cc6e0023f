"""TensorFlow Serving's predictions, classifications and regressions, whole."""

import base64
import gzip
import json

import numpy as np
import pytest

from runtime.wire.tfs import predict as wire
from tests.examples import WEIGHTS
from tests.forms import form, png
from tests.runtime.graphs import half_plus_two, one_number, texts_and_flags, two_inputs

PICTURE = png([[1, 2], [3, 4]])
ENCODED = {"b64": base64.b64encode(PICTURE).decode()}
IMAGE = np.arange(1, 5, dtype=np.float32).reshape(1, 2, 2, 1)
SCORES = (IMAGE.reshape(1, 4) @ WEIGHTS).tolist()


@pytest.fixture
def ask(client, publish):
    publish("half_plus_two", half_plus_two())

    def ask(path, content=None, **given):
        body = given.pop("body", json.dumps(content).encode())
        return client.simulate_post(f"/v1/models/{path}", body=body, **given)

    return ask


# These are the examples of TensorFlow Serving's documents; the model is x/2 + 2.
def test_the_row_form(ask):
    reply = ask("half_plus_two:predict", {"instances": [1.0, 2.0, 5.0]})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-model-version"] == "1"
    assert reply.json == {"predictions": [2.5, 3.0, 4.5]}


def test_the_column_form(ask):
    for inputs in ([1.0, 2.0, 5.0], {"x": [1.0, 2.0, 5.0]}):
        reply = ask("half_plus_two:predict", {"inputs": inputs})
        assert reply.json == {"outputs": [2.5, 3.0, 4.5]}


def test_a_regression(ask):
    examples = [{"x": 1.0}, {"x": 2.0}]
    for name in ("tensorflow/serving/regress", "serving_default", ""):
        content = {"signature_name": name, "examples": examples}
        assert ask("half_plus_two:regress", content).json == {"results": [2.5, 3.0]}


def test_a_model_that_is_not_there(ask):
    reply = ask("half:predict", {"instances": [1.0, 5.0]})
    assert reply.status_code == 404
    assert reply.json == {"error": "Servable not found for request: Latest(half)"}


def test_versions_and_labels(ask, client, publish):
    publish("half_plus_two", one_number())
    one = {"instances": [1.0]}
    assert ask("half_plus_two/versions/1:predict", one).json == {"predictions": [2.5]}
    assert ask("half_plus_two:predict", one).status_code == 400
    client.simulate_put("/models/half_plus_two/labels/old", json={"version": 1})
    reply = ask("half_plus_two/labels/old:predict", one)
    assert reply.json == {"predictions": [2.5]}
    assert reply.headers["x-model-version"] == "1"


ONE = {"instances": [1.0]}
REFUSED = {
    "version 9": (
        "half_plus_two/versions/9:predict",
        ONE,
        404,
        "Servable not found for request: Specific(half_plus_two, 9)",
    ),
    "a huge version": (
        f"half_plus_two/versions/{'9' * 30}:predict",
        ONE,
        400,
        f"Failed to convert version: {'9' * 30} to numeric.",
    ),
    "an unknown label": (
        "half_plus_two/labels/canary:predict",
        ONE,
        400,
        "Unrecognized servable version label: canary",
    ),
    "a name that is none": (
        ".hidden:predict",
        ONE,
        404,
        "Servable not found for request: Latest(.hidden)",
    ),
    "examples for an unknown model": (
        "half:classify",
        {"examples": [{"x": 1}]},
        404,
        "Servable not found for request: Latest(half)",
    ),
    # TensorFlow Serving reads the JSON before it looks for the model.
    "no form for an unknown model": (
        "half:predict",
        [],
        400,
        "JSON Value: [] Is not object",
    ),
    "no form": (
        "half_plus_two:predict",
        {},
        400,
        "Missing 'inputs' or 'instances' key",
    ),
    "another shape": (
        "half_plus_two:predict",
        {"instances": [[1.0]]},
        400,
        "input 'x' has shape (1, 1) and the model takes (any)",
    ),
    "an unknown signature": (
        "half_plus_two:classify",
        {"signature_name": "regress_x_to_y", "examples": [{"x": 1}]},
        400,
        'Serving signature name: "regress_x_to_y" not found in signature def',
    ),
}


@pytest.mark.parametrize(
    ("path", "content", "status", "error"), REFUSED.values(), ids=REFUSED
)
def test_refused(ask, path, content, status, error):
    reply = ask(path, content)
    assert (reply.status_code, reply.json) == (status, {"error": error})


@pytest.mark.parametrize("method", ["predict", "classify", "regress"])
@pytest.mark.parametrize("headers", [{}, {"Content-Length": "0"}])
def test_no_body(ask, method, headers):
    reply = ask(f"half_plus_two:{method}", body=b"", headers=headers)
    assert reply.status_code == 400
    assert reply.json == {"error": "JSON Parse error: The document is empty"}


def test_several_inputs_and_outputs(ask, publish):
    publish("pair", two_inputs())
    rows = [{"a": [1, 2], "b": [3, 4]}, {"a": [0, 0], "b": [1, 1]}]
    assert ask("pair:predict", {"instances": rows}).json == {
        "predictions": [
            {"sum": [4.0, 6.0], "less": [2, 3]},
            {"sum": [1.0, 1.0], "less": [0, 0]},
        ]
    }
    columns = {"a": [[1, 2]], "b": [[3, 4], [5, 6]]}
    reply = ask("pair:predict", {"inputs": columns})
    assert reply.json == {
        "outputs": {"sum": [[4.0, 6.0], [6.0, 8.0]], "less": [[2, 3], [4, 5]]}
    }


def test_texts_and_flags(ask, publish):
    publish("texts", texts_and_flags())
    rows = [{"text": {"b64": "w6k="}, "flag": True}, {"text": "a", "flag": False}]
    assert ask("texts:predict", {"instances": rows}).json["predictions"] == [
        {"same": "é", "other": False},
        {"same": "a", "other": True},
    ]


def test_nan_and_infinity_in_and_out(ask):
    body = b'{"instances": [NaN, Infinity, -Infinity, 1]}'
    reply = ask("half_plus_two:predict", body=body)
    assert reply.content == b'{"predictions":[NaN,Infinity,-Infinity,2.5]}\n'


@pytest.fixture
def images(ask, publish):
    publish("linear", channels=1, labels=("zero", "one", "two"))
    return ask


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"instances": [ENCODED]}, "predictions"),
        ({"instances": [{"pixels": ENCODED}]}, "predictions"),
        ({"inputs": ENCODED}, "outputs"),
        ({"inputs": {"pixels": [ENCODED]}}, "outputs"),
        ({"instances": IMAGE.tolist()}, "predictions"),
        ({"inputs": IMAGE.tolist()}, "outputs"),
    ],
)
def test_pictures_and_pixels(images, content, key):
    assert images("linear:predict", content).json == {key: SCORES}


def test_the_picture_is_read_as_by_the_image_route(images, client):
    body, headers = form(image=PICTURE, model="linear")
    reply = client.simulate_post("/predict/image", body=body, headers=headers)
    assert [reply.json] == SCORES
    found = images("linear:predict", {"instances": [{"b64": "bm8="}]})
    assert found.status_code == 400
    assert "image" in found.json["error"]


def test_classes(images):
    examples = [{"pixels": ENCODED}, {"pixels": ENCODED}]
    one = list(map(list, zip(("zero", "one", "two"), SCORES[0], strict=True)))
    found = images("linear:classify", {"examples": examples})
    assert found.json == {"results": [one, one]}
    numbers = {"examples": [{"pixels": IMAGE.ravel().tolist()}]}
    assert images("linear:classify", numbers).json == {"results": [one]}
    assert images("linear:regress", numbers).status_code == 400


def test_many_examples_are_read_elsewhere(ask):
    examples = [{"x": number} for number in range(500)]
    found = ask("half_plus_two:regress", {"examples": examples}).json["results"]
    assert found == [number / 2 + 2 for number in range(500)]


def test_a_fault_is_searched_elsewhere(ask, monkeypatch):
    asked = []

    def elsewhere(call, key):
        asked.append(key)
        return call()

    monkeypatch.setattr(wire, "elsewhere", elsewhere)
    assert ask("half_plus_two:predict", {"instances": ["a"]}).status_code == 400
    assert asked == ["half_plus_two"]


def test_packed_bodies(ask):
    values = [float(number) for number in range(1000)]
    reply = ask(
        "half_plus_two:predict",
        body=gzip.compress(json.dumps({"instances": values}).encode()),
        headers={"Content-Encoding": "gzip", "Accept-Encoding": "gzip"},
    )
    assert reply.headers["content-encoding"] == "gzip"
    found = json.loads(gzip.decompress(reply.content))
    assert found["predictions"] == [value / 2 + 2 for value in values]
