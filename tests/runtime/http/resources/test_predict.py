"""POST /predict takes any kind of prediction, and tells them by their content type."""

import gzip
import json

import pytest

from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import LocalClient
from tests.forms import form, png
from tests.replies import error_of
from tests.runtime.graphs import identity
from tests.runtime.http.resources.test_predict_proto import classes, row


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/json "]
)
def test_json_is_told_by_its_type(client, publish, kind):
    publish("rows", identity())
    body = json.dumps({"values": [1, 2, 3], "model": "rows"})
    reply = client.simulate_post("/predict", body=body, headers={"Content-Type": kind})
    assert reply.json == [1, 2, 3]


@pytest.mark.parametrize(
    "kind",
    ["application/x-protobuf", "application/protobuf", "application/octet-stream"],
)
def test_protobuf_is_told_by_its_types(client, publish, kind):
    publish("rows", identity())
    reply = client.simulate_post(
        "/predict", body=row([1, 2, 3]), headers={"Content-Type": kind}
    )
    assert reply.content == classes(("0", 1), ("1", 2), ("2", 3))


def test_a_form_is_told_by_its_type(client, publish):
    publish("linear", channels=1)
    body, headers = form(image=png([[1, 2], [3, 4]]), model="linear")
    reply = client.simulate_post("/predict", body=body, headers=headers)
    assert reply.json == [1, 2, 7]


@pytest.mark.parametrize("kind", ["text/plain", "", "application/xml", "image/png"])
def test_another_type_is_told_what_to_send(client, kind):
    reply = client.simulate_post("/predict", body=b"x", headers={"Content-Type": kind})
    sentence = error_of(reply, 415)
    for taken in ("multipart/form-data", "application/json", "application/x-protobuf"):
        assert taken in sentence


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict/json", b'{"model": "rows", "values": [1, 2, 3]}'),
        ("/predict/proto", row([1, 2, 3])),
    ],
)
def test_an_encoded_body_is_not_taken(client, publish, path, body):
    publish("rows", identity())
    encoded = {"Content-Encoding": "gzip"}
    reply = client.simulate_post(path, body=gzip.compress(body), headers=encoded)
    assert "Content-Encoding 'gzip' is not taken here" in error_of(reply, 415)
    plain = {"Content-Encoding": "Identity"}
    assert client.simulate_post(path, body=body, headers=plain).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/predict",
        "/predict/image",
        "/image",
        "/predict/json",
        "/json",
        "/predict/proto",
        "/proto",
    ],
)
def test_every_route_is_under_the_base(tmp_path, path):
    config = Config(model_dir=tmp_path, provider="cpu", base="/tfaas")
    client = LocalClient(create_app(create_services(config), config))
    assert client.simulate_post(path).status_code == 404
    assert client.simulate_post("/tfaas" + path).status_code in (400, 415)
    assert "takes POST" in error_of(client.simulate_get("/tfaas" + path), 405)
    assert "/tfaas" + path in client.simulate_get("/tfaas/docs").text
