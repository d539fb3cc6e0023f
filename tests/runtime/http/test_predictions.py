"""A prediction that is answered without Falcon gets the very reply that Falcon gives.

Falcon answers the same request if its path ends with a slash.
"""

import json

import falcon
import pytest
from falcon.testing import create_environ

from runtime.access.tokens import digest_of
from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.environ_keys import DEADLINE, JOURNEY
from runtime.http.predictions import Found
from runtime.services import create_services
from runtime.wire.tfaas_pb2 import Row
from tests.clients import HERE, LocalClient
from tests.examples import write_bundle
from tests.forms import form, png

IMAGE = png([[1, 2], [3, 4]])
BODY, FORM = form(image=IMAGE, model="linear")
JSON = {"Content-Type": "application/json"}
PIXELS = {"name": "pixels", "datatype": "FP32", "shape": [1, 2, 2, 1]}
INFER = {"inputs": [{**PIXELS, "data": [1, 2, 3, 4]}]}
ROW = Row(key=["a", "b"], value=[1, 2], model="linear").SerializeToString()


def of_form(**fields):
    body, headers = form(**fields)
    return {"body": body, "headers": headers}


def of_json(content, **headers):
    return {"body": json.dumps(content).encode(), "headers": {**JSON, **headers}}


REQUESTS = {
    "an image": ("/predict/image", of_form(image=IMAGE, model="linear")),
    "its old path": ("/image", of_form(image=IMAGE, model="linear")),
    "by its type": ("/predict", of_form(image=IMAGE, model="linear")),
    "labels": ("/predict/image", of_form(image=IMAGE, model="linear", top="2")),
    "a version": ("/predict/image", of_form(image=IMAGE, model="linear", version="1")),
    "no version": ("/predict/image", of_form(image=IMAGE, model="linear", version="9")),
    "no model": ("/predict/image", of_form(image=IMAGE, model="other")),
    "no picture": ("/predict/image", of_form(image=b"text", model="linear")),
    "no form": ("/predict/image", of_json({"model": "linear"})),
    "no field": ("/predict/image", of_form(image=IMAGE)),
    "no body": ("/predict/image", {"headers": FORM}),
    "an unknown type": (
        "/predict",
        {"body": b"x", "headers": {"Content-Type": "text/html"}},
    ),
    "an encoded body": (
        "/predict/image",
        {"body": BODY, "headers": {**FORM, "Content-Encoding": "gzip"}},
    ),
    "a long body": ("/predict/json", {"body": bytes(200_000), "headers": JSON}),
    "an explanation": ("/explain/image", of_form(image=IMAGE, model="linear")),
    "two to explain": ("/explain/image", of_form(image=[IMAGE, IMAGE], model="linear")),
    "rows": ("/predict/json", of_json({"model": "linear", "values": [1, 2, 3, 4]})),
    "inputs": ("/json", of_json({"model": "linear", "inputs": {"x": [[1]]}})),
    "no JSON": ("/predict/json", {"body": b"{", "headers": JSON}),
    "protobuf": ("/predict/proto", {"body": ROW, "headers": {}}),
    "an inference": ("/v2/models/linear/infer", of_json(INFER)),
    "of a version": ("/v2/models/linear/versions/1/infer", of_json(INFER)),
    "of no version": ("/v2/models/linear/versions/x/infer", of_json(INFER)),
    "of no model": ("/v2/models/other/infer", of_json(INFER)),
    "of no name": ("/v2/models//infer", of_json(INFER)),
    "an inference that is none": ("/v2/models/linear/infer", of_json({})),
    "an inference in binary": (
        "/v2/models/linear/infer",
        of_json({**INFER, "parameters": {"binary_data_output": True}}),
    ),
    "a prediction of TensorFlow Serving": (
        "/v1/models/linear:predict",
        of_json({"inputs": [[[[1], [2]], [[3], [4]]]]}),
    ),
    "of its version": (
        "/v1/models/linear/versions/1:predict",
        of_json({"instances": [[[[1], [2]], [[3], [4]]]]}),
    ),
    "of a label that is none": (
        "/v1/models/linear/labels/canary:predict",
        of_json({"instances": []}),
    ),
    "its classification": (
        "/v1/models/linear:classify",
        of_json({"examples": [{"pixels": [1, 2, 3, 4]}]}),
    ),
    "its regression": ("/v1/models/linear:regress", of_json({"examples": [{}]})),
    "of another method": ("/v1/models/linear:explain", of_json({})),
    "of a model without a name": ("/v1/models/:predict", of_json({})),
    "of a name with a colon": ("/v1/models/a:b:predict", of_json({})),
    "of a version that is none": (
        "/v1/models/linear/versions/x:predict",
        of_json({}),
    ),
    "an inference by another method": (
        "/v2/models/linear/infer",
        {"method": "GET", "headers": {}},
    ),
    "an accepted type": (
        "/predict/image",
        {
            "body": BODY,
            "headers": {**FORM, "Accept": "application/vnd.tfaas.labels+json"},
        },
    ),
    "a query": (
        "/predict/image",
        {"body": BODY, "headers": FORM, "query_string": "top=1"},
    ),
    "another method": ("/predict/image", {"method": "DELETE", "headers": {}}),
    "a token that nobody asks for": (
        "/predict/image",
        {"body": BODY, "headers": {**FORM, "Authorization": "Bearer no"}},
    ),
}


@pytest.fixture
def client_of(tmp_path):
    def client_of(**settings):
        config = Config(
            model_dir=tmp_path / "models",
            provider="cpu",
            max_body_bytes=100_000,
            **settings,
        )
        write_bundle(config.model_dir / "linear" / "1", labels=("zero", "one", "two"))
        return LocalClient(create_app(create_services(config), config))

    return client_of


def ask(client, path, given):
    given = {"method": "POST", **given}
    headers = {"X-Request-Id": "mine", **given.pop("headers")}
    reply = client.simulate_request(path=path, headers=headers, **given)
    return reply.status, reply.content, dict(sorted(reply.headers.items()))


@pytest.mark.parametrize(("path", "given"), REQUESTS.values(), ids=REQUESTS)
def test_both_ways_give_the_same_reply(client_of, path, given):
    client = client_of()
    quickly = ask(client, path, given)
    assert ask(client, f"{path}/", given) == quickly


def test_a_time_that_is_none_is_refused_on_both_ways(client_of):
    client = client_of()
    given = {"body": BODY, "headers": {**FORM, "X-Timeout-Ms": "soon"}}
    status, body, headers = ask(client, "/predict/image", given)
    assert status == "400 Bad Request"
    # Falcon refuses it before it looks for the route, whose replies no cache may keep.
    assert headers.pop("cache-control") == "no-store"
    assert ask(client, "/predict/image/", given) == (status, body, headers)


def test_usual_predictions_do_not_go_through_falcon(client_of, monkeypatch):
    client = client_of()
    monkeypatch.setattr(falcon.App, "__call__", None)
    status, _, headers = ask(client, "/predict/image", {"body": BODY, "headers": FORM})
    assert status == "200 OK"
    assert headers["x-model-version"] == "1"


@pytest.mark.parametrize("path", ["linear", "linear/versions/1"])
@pytest.mark.parametrize("base", ["", "/ml"])
def test_inferences_do_not_go_through_falcon_either(client_of, monkeypatch, path, base):
    client = client_of(base=base)
    monkeypatch.setattr(falcon.App, "__call__", None)
    reply = ask(client, f"{base}/v2/models/{path}/infer", of_json(INFER))
    assert reply[0] == "200 OK"
    assert json.loads(reply[1])["model_version"] == "1"


@pytest.mark.parametrize("path", ["linear", "linear/versions/1"])
@pytest.mark.parametrize("base", ["", "/ml"])
@pytest.mark.parametrize("method", ["predict", "classify"])
def test_nor_do_predictions_of_tensorflow_serving(
    client_of, monkeypatch, path, base, method
):
    client = client_of(base=base)
    monkeypatch.setattr(falcon.App, "__call__", None)
    content = {"inputs": [[[[1], [2]], [[3], [4]]]], "examples": [{"pixels": [0] * 4}]}
    reply = ask(client, f"{base}/v1/models/{path}:{method}", of_json(content))
    assert reply[0] == "200 OK"


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Bearer right"])
def test_tokens_are_asked_for_on_both_ways(client_of, token):
    client = client_of(predict_tokens=(digest_of("right"),))
    given = {"body": BODY, "headers": {**FORM, "Authorization": token}}
    status, body, headers = quickly = ask(client, "/predict/image", given)
    assert ask(client, "/predict/image/", given) == quickly
    if token == "Bearer right":
        assert status == "200 OK"
    else:
        assert status == "401 Unauthorized"
        assert headers["www-authenticate"] == "Bearer"
        assert b"token" in body


@pytest.mark.parametrize("settings", [{"rate": "9-H"}, {"monit_record": True}])
def test_what_needs_more_than_a_watch_goes_through_falcon(client_of, settings):
    client = client_of(**settings)
    assert client.app.predictions.resource_for({"PATH_INFO": "/predict/image"}) is None
    status, _, _ = ask(client, "/predict/image", {"body": BODY, "headers": FORM})
    assert status == "200 OK"


def test_a_bug_is_told_without_its_reason(client_of, monkeypatch, caplog):
    client = client_of()

    class Bug:
        def answer(self, env, journey):
            raise KeyError("secret")

    found = Found(Bug(), "/predict/image", {})
    monkeypatch.setattr(client.app.predictions, "_exact", {"/predict/image": found})
    status, body, _ = ask(client, "/predict/image", {"body": BODY, "headers": FORM})
    assert status == "500 Internal Server Error"
    assert b"secret" not in body
    assert "secret" in caplog.text


@pytest.mark.parametrize("path", ["/predict/image", "/predict/image/", "/livez"])
def test_the_server_and_the_request_share_the_deadline(client_of, path):
    """The server tells it when the client leaves."""
    environ = create_environ(path, method="POST", body=BODY, headers=FORM, **HERE)
    client_of().app(environ, lambda *head: None)
    assert environ[JOURNEY].deadline is environ[DEADLINE]
