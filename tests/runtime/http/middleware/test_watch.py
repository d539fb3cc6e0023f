import logging

import falcon
import pytest
from falcon.testing import create_environ
from prometheus_client import REGISTRY

from bundle.errors import ModelNotFound, StoreError
from runtime.access.gate import Gate
from runtime.config import Config
from runtime.errors import Expired, Overloaded
from runtime.http.application import create_app
from runtime.http.caller import address_reader
from runtime.http.environ_keys import JOURNEY, REFUSED
from runtime.http.middleware.render import Render
from runtime.http.middleware.watch import Watch
from runtime.services import create_services
from runtime.telemetry.journey import CURRENT, clock
from tests.clients import LocalClient

BASE = "/watched"  # no other test counts under it


class Answer:
    """A resource of predictions that fills the journey of each request."""

    def on_get(self, req, resp, name):
        self.seen = (req.env[JOURNEY], CURRENT.get())
        resp.media = {}

    def on_post(self, req, resp, name):
        journey = req.env[JOURNEY]
        for stage in ("queue", "decode", "infer", "encode"):
            start = clock()
            journey.laps.append((stage, start, clock()))
        journey.model, journey.version = "mnist", 3
        journey.backend = "onnxruntime/CPUExecutionProvider"
        resp.data = b"[1]"

    def on_put(self, req, resp, name):
        req.env[JOURNEY].backend = "onnxruntime/CPUExecutionProvider"
        raise ModelNotFound("no model")

    def on_delete(self, req, resp, name):
        resp.data = b"half an answer"
        resp.media = {"cannot": object()}
        resp.data = None

    def on_patch(self, req, resp, name):
        resp.text = "half an answer"
        raise KeyError("a secret /path\nof the server")


@pytest.fixture
def answer():
    return Answer()


@pytest.fixture
def client(tmp_path, answer):
    config = Config(model_dir=tmp_path, provider="cpu", base=BASE)
    app = create_app(create_services(config), config)
    app.add_route(BASE + "/answer/{name}", answer)
    return LocalClient(app)


@pytest.fixture
def counted():
    """Return a function that tells how much a sample grew since the test began."""
    before = {}

    def read():
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
        }

    def grown(name, **labels):
        key = (name, frozenset(labels.items()))
        return read().get(key, 0) - before.get(key, 0)

    before.update(read())
    return grown


def ask(client, method, path):
    """Return the status line and headers; Falcon's own client refuses odd methods."""
    environ = create_environ(BASE + path, headers={"X-Request-Id": "abc"})
    environ["REQUEST_METHOD"] = method
    replies = []
    client.app(environ, lambda *reply: replies.append(reply))
    (reply,) = replies
    return reply


def requests(counted, **labels):
    given = {"route": BASE + "/answer/{name}", "model": "", "version": "", **labels}
    return counted("tfaas_requests_total", **given)


@pytest.mark.parametrize("sent", ["a", "A-z_0.9:/+=@", "x" * 128])
def test_a_sane_request_id_is_taken_over(client, answer, sent):
    reply = client.simulate_get(BASE + "/answer/x", headers={"X-Request-Id": sent})
    assert reply.headers["X-Request-Id"] == sent
    journey, current = answer.seen
    assert journey.request_id == sent
    assert current is journey
    assert CURRENT.get() is None


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "é", "<script>", 'a"', "a\tb"])
def test_another_one_is_replaced(client, sent):
    reply = client.simulate_get(BASE + "/answer/x", headers={"X-Request-Id": sent})
    made = reply.headers["X-Request-Id"]
    assert len(made) == 32
    assert int(made, 16)


def test_every_request_has_its_own_id(client):
    made = {client.simulate_get(BASE).headers["X-Request-Id"] for _ in range(3)}
    assert len(made) == 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nosuch", 404),
        ("PUT", "/models", 405),
        ("PUT", "/answer/x", 404),
        ("DELETE", "/answer/x", 500),
        ("PATCH", "/answer/x", 500),
        ("BREW", "/models", 400),
        ("WEBSOCKET", "/models", 400),
        ("OPTIONS", "/models", 200),
        ("HEAD", "/models", 200),
    ],
)
def test_every_reply_bears_the_id(client, method, path, status):
    line, headers = ask(client, method, path)
    assert int(line.split()[0]) == status
    assert dict(headers)["x-request-id"] == "abc"


def test_a_request_is_counted_by_the_routes_template(client, counted):
    client.simulate_get(BASE + "/answer/one")
    client.simulate_get(BASE + "/answer/two")
    assert requests(counted, method="GET", status="200") == 2
    assert (
        counted(
            "tfaas_request_seconds_count",
            route=BASE + "/answer/{name}",
            model="",
            version="",
        )
        == 2
    )


def test_what_clients_make_up_becomes_no_label(client, counted):
    client.simulate_get("/made/up")
    ask(client, "BREW", "/answer/x")
    assert requests(counted, route="unknown", method="GET", status="404") == 1
    assert requests(counted, method="_OTHER", status="400") == 1
    labels = {
        value
        for family in REGISTRY.collect()
        for sample in family.samples
        for value in sample.labels.values()
    }
    assert not {"/made/up", "BREW"} & labels


def test_a_prediction_is_counted_with_its_model_and_its_stages(client, counted):
    client.simulate_post(BASE + "/answer/x")
    model = {"model": "mnist", "version": "3"}
    assert requests(counted, method="POST", status="200", **model) == 1
    answered_by = {"backend": "onnxruntime", "device": "CPUExecutionProvider"}
    assert counted("tfaas_predictions_total", **model, **answered_by) == 1
    for stage in ("queue", "decode", "infer", "encode"):
        assert counted("tfaas_stage_seconds_count", stage=stage, model="mnist") == 1


def test_a_version_brings_few_metrics_for_they_stay_when_it_goes(client, answer):
    # These are the metrics of one version after one request; each takes 1 kB.
    client.simulate_post(BASE + "/answer/x")
    of_it = [
        sample.name
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.labels.get("version") == "3"
        and sample.labels.get("route") in (None, BASE + "/answer/{name}")
        and sample.labels.get("model") == "mnist"
    ]
    assert "tfaas_request_seconds_bucket" in of_it
    assert len(of_it) < 30


def test_a_request_that_failed_is_no_prediction(client, counted):
    client.simulate_put(BASE + "/answer/x")
    answered_by = {"backend": "onnxruntime", "device": "CPUExecutionProvider"}
    assert requests(counted, method="PUT", status="404") == 1
    assert counted("tfaas_predictions_total", model="", version="", **answered_by) == 0


class During:
    def __init__(self, counted):
        self.counted = counted

    def on_get(self, req, resp):
        self.in_progress = self.counted("tfaas_requests_in_progress")


def test_nothing_stays_in_progress(client, counted):
    during = During(counted)
    client.app.add_route(BASE + "/during", during)
    for method in ("GET", "PUT", "PATCH", "DELETE", "BREW", "WEBSOCKET"):
        ask(client, method, "/answer/x")
    ask(client, "GET", "/during")
    assert during.in_progress == 1
    assert counted("tfaas_requests_in_progress") == 0


# -- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "route", "reason"),
    [
        ("PUT", "/answer/x", "/answer/{name}", "model_not_found"),
        ("PATCH", "/answer/x", "/answer/{name}", "unexpected"),
        ("PUT", "/models", "/models", "http_method_not_allowed"),
        ("GET", "/nosuch", None, "http_route_not_found"),
    ],
)
def test_what_was_refused_is_counted_with_its_reason(
    client, counted, method, path, route, reason
):
    client.simulate_request(method, BASE + path)
    route = BASE + route if route else "unknown"
    assert counted("tfaas_rejects_total", route=route, reason=reason) == 1


def test_a_bug_tells_the_log_why_and_the_client_where(client, caplog):
    reply = client.simulate_patch(BASE + "/answer/x", headers={"X-Request-Id": "abc-1"})
    assert reply.status_code == 500
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["X-Request-Id"] == "abc-1"
    assert reply.json == {
        "error": "the server failed on this request; its log says why, under the id"
        " in the reply's X-Request-Id"
    }
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("runtime.refusals", logging.ERROR)
    assert record.exc_info[0] is KeyError


def test_an_answer_that_cannot_be_encoded_is_a_bug_too(client, counted, caplog):
    reply = client.simulate_delete(BASE + "/answer/x")
    assert reply.status_code == 500
    assert list(reply.json) == ["error"]
    assert requests(counted, method="DELETE", status="500") == 1
    assert caplog.records[0].exc_info[0] is TypeError


def test_a_5xx_of_ours_is_in_the_log_with_its_traceback(client, caplog, answer):
    def fail(req, resp, name):
        raise StoreError("the store cannot be read")

    answer.on_get = fail
    client.app.add_route(BASE + "/fails/{name}", answer)
    assert client.simulate_get(BASE + "/fails/x").status_code == 500
    (record,) = caplog.records
    assert record.exc_info[0] is StoreError
    assert record.getMessage() == f"GET {BASE}/fails/x: the store cannot be read"


@pytest.mark.parametrize("error", [Overloaded, Expired])
def test_refusals_are_a_line_a_minute_without_a_traceback(
    client, caplog, answer, error
):
    def refuse(req, resp, name):
        raise error("not now")

    answer.on_get = refuse
    client.app.add_route(BASE + "/fails/{name}", answer)
    for _ in range(20):
        assert client.simulate_get(BASE + "/fails/x").status_code in (503, 504)
    (record,) = caplog.records
    assert record.exc_info is None
    assert record.levelno == logging.WARNING
    assert "not now" in record.getMessage()


def refused(client, method, path, **given):
    """Ask with the server's refusal in the environ; return the status and headers."""
    environ = create_environ(BASE + path, **given)
    environ["REQUEST_METHOD"] = method
    environ[REFUSED] = Overloaded("too many requests wait")
    replies = []
    client.app(environ, lambda *reply: replies.append(reply))
    ((line, headers),) = replies
    return int(line.split()[0]), dict(headers)


@pytest.mark.parametrize("path", ["/answer/x", "/nosuch"])
def test_what_the_server_refuses_is_not_asked_and_is_counted(client, counted, path):
    status, headers = refused(client, "GET", path)
    assert (status, headers["retry-after"]) == (503, "1")
    assert requests(counted, route="unknown", method="GET", status="503") == 1
    assert counted("tfaas_rejects_total", route="unknown", reason="overloaded") == 1
    assert counted("tfaas_requests_in_progress") == 0


def test_what_falcon_refuses_is_not_refused_twice(client, counted):
    status, headers = refused(
        client,
        "WEBSOCKET",
        "/answer/x",
        headers={"X-Timeout-Ms": "soon", "X-Request-Id": "abc"},
    )
    assert (status, headers["x-request-id"]) == (400, "abc")
    assert requests(counted, route="unknown", method="_OTHER", status="400") == 1
    assert counted("tfaas_requests_in_progress") == 0


# -- alone ----------------------------------------------------------------------------


class Stream:
    def on_get(self, req, resp):
        resp.set_stream(iter([b"ab", b"c"]), 3)


def test_a_stream_is_not_read_to_be_measured():
    app = falcon.App(
        middleware=[Watch(frozenset(), None, 0, address_reader(Gate())), Render()]
    )
    app.add_route("/stream", Stream())
    assert LocalClient(app).simulate_get("/stream").content == b"abc"
