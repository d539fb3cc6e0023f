import json
import logging
import re
import socket
import time

import pytest
from falcon.testing import create_environ

from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.environ_keys import JOURNEY
from runtime.services import create_services
from runtime.telemetry import logs
from runtime.telemetry.journey import clock
from runtime.telemetry.logs import set_up_logs
from tests.clients import LocalClient

HEADERS = {
    "X-Request-Id": "abc-1",
    "User-Agent": "curl/8\x1b[2J",
    "Referer": "http://example.org/page?token=secret",
    "X-Forwarded-For": "192.0.2.7",
    "Authorization": "Bearer secret",
}


class Answer:
    def on_post(self, req, resp, name):
        journey = req.env[JOURNEY]
        for stage in ("decode", "infer", "encode"):
            start = clock()
            journey.laps.append((stage, start, clock()))
        journey.model, journey.version, journey.items = "mnist", 0, 2
        journey.backend = "onnxruntime/CPUExecutionProvider"
        resp.data = b"[0.5]"


class Stream:
    def on_get(self, req, resp):
        resp.set_stream(iter([b"abc"]), 3)


@pytest.fixture
def serve(tmp_path):
    """Return a function that gives a service's client, and the lines of its log."""

    def serve(**settings):
        prefix = tmp_path / "logs" / "log"
        prefix.parent.mkdir()
        config = Config(
            model_dir=tmp_path / "models",
            provider="cpu",
            log_file=str(prefix),
            **settings,
        )
        set_up_logs(config)
        app = create_app(create_services(config), config)
        app.add_route("/answer/{name}", Answer())
        app.add_route("/stream", Stream())
        (path,) = prefix.parent.iterdir()

        def lines():
            logs.request_log.flush()
            return path.read_text().splitlines()

        return LocalClient(app), lines

    return serve


def test_a_line_tells_what_is_known_and_no_secrets(serve):
    client, lines = serve(log_format="json")
    client.simulate_post(
        "/answer/x",
        body=b"secret",
        headers=HEADERS,
        params={"token": "secret"},
        extras={"REMOTE_ADDR": "192.0.2.1"},
    )
    (line,) = lines()
    assert "secret" not in line
    fields = json.loads(line)
    assert isinstance(fields.pop("ts"), str)
    for name in ("ms", "decode_ms", "infer_ms", "encode_ms"):
        assert 0 <= fields.pop(name) < 1000
    assert fields == {
        "level": "INFO",
        "logger": "runtime.requests",
        "request_id": "abc-1",
        "method": "POST",
        "path": "/answer/x",
        "route": "/answer/{name}",
        "status": 200,
        "client": "192.0.2.1",
        "bytes_in": 6,
        "bytes_out": 5,
        "model": "mnist",
        "version": 0,
        "backend": "onnxruntime/CPUExecutionProvider",
        "items": 2,
    }


def test_a_plain_line_is_one_line_whatever_the_path_is(serve):
    client, lines = serve()
    client.simulate_get("/x%0Aforged%1b[2J%20y", headers={"X-Request-Id": "abc-1"})
    (line,) = lines()
    assert re.search(
        r' INFO runtime\.requests: method=GET path="/x\\nforged\\x1b\[2J y"'
        r" route=unknown status=404 ms=[0-9.]+ client=127\.0\.0\.1 bytes_out=\d+"
        r" request_id=abc-1$",
        line,
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "size"),
    [
        ("GET", "/models", 200, 3),
        ("HEAD", "/models", 200, 0),
        ("GET", "/stream", 200, 3),
    ],
)
def test_the_bytes_are_those_of_the_body(serve, method, path, status, size):
    client, lines = serve(log_format="json")
    client.simulate_request(method, path)
    fields = json.loads(lines()[0])
    assert (fields["status"], fields["bytes_out"]) == (status, size)


def test_what_went_wrong_has_the_request_id_beside_its_traceback(serve):
    client, lines = serve()
    client.simulate_post("/stream", headers=HEADERS)
    client.app.add_route("/bug", type("Bug", (), {"on_get": lambda s, q, r: 1 / 0})())
    client.simulate_get("/bug", headers=HEADERS)
    first, error, *traceback, last = lines()
    assert "status=405" in first
    assert error.endswith(
        "GET /bug: ZeroDivisionError('division by zero') request_id=abc-1"
    )
    assert traceback[-1] == "    ZeroDivisionError: division by zero"
    assert "status=500" in last


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_probes_are_logged_at_verbose_2_alone(serve, path):
    client, lines = serve()
    client.simulate_get(path)
    assert lines() == []


def test_probes_at_verbose_2(serve):
    client, lines = serve(verbose=2)
    client.simulate_get("/livez")
    assert "DEBUG runtime.requests: method=GET path=/livez" in lines()[0]


def test_the_access_log_can_be_off(serve):
    client, lines = serve(access_log=False)
    client.simulate_get("/models")
    assert lines() == []


def test_a_content_length_that_is_no_number_is_refused_and_logged(serve):
    client, lines = serve(log_format="json")
    environ = create_environ("/models")
    environ["CONTENT_LENGTH"] = "x"
    client.app(environ, lambda status, headers: None)
    fields = json.loads(lines()[0])
    assert fields["status"] == 400
    assert "bytes_in" not in fields


# -- MONIT ----------------------------------------------------------------------------


def test_monits_record_has_tfaas_keys(serve, capsys):
    """src/Go/logging.go of TFaaS has these keys, in HTTPRecord and LogRecord."""
    before = int(time.time() * 1000)
    client, _ = serve(monit_record=True)
    client.simulate_post(
        "/answer/x",
        body=b"secret",
        headers=HEADERS,
        params={"token": "secret"},
        host="example.org",
        extras={"REMOTE_ADDR": "192.0.2.1"},
    )
    client.simulate_get("/models")
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(second)["data"]["uri"] == "/models"
    assert "secret" not in first
    record = json.loads(first)
    data = record["data"]
    assert before <= record["timestamp"] <= time.time() * 1000
    assert data.pop("timestamp") == record.pop("timestamp")
    assert 0 < data.pop("request_time") < 10
    assert record.pop("data") == {
        "method": "POST",
        "uri": "/answer/x",
        "api": "x",
        "system": "",
        "clientip": "192.0.2.1",
        "bytes_in": 6,
        "bytes_out": 5,
        "proto": "HTTP/1.1",
        "status": 200,
        "content_length": 6,
        "referer": "http://example.org/page",
        "user_agent": "curl/8\x1b[2J",
        "x_forwarded_host": "",
        "x_forwarded_for": "192.0.2.7",
        "remote_addr": "192.0.2.1",
    }
    assert record == {
        "producer": "cmsweb",
        "type": "auth",
        "host": socket.gethostname(),
    }


def test_monits_record_is_off_by_default(serve, capsys):
    client, _ = serve()
    client.simulate_get("/models")
    assert capsys.readouterr().out == ""
    assert not logging.getLogger("runtime.monit").isEnabledFor(logging.INFO)
