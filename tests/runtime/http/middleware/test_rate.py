import time

import pytest
from falcon.testing import create_environ

from runtime.config import Config
from runtime.errors import Overloaded
from runtime.http.application import create_app
from runtime.http.environ_keys import REFUSED
from runtime.services import create_services
from tests.clients import HERE, LocalClient


@pytest.fixture
def client(tmp_path):
    config = Config(model_dir=tmp_path, provider="cpu", rate="2-H", base="/b")
    return LocalClient(create_app(create_services(config), config))


def test_every_reply_says_what_is_left(client):
    """ulule/limiter, which TFaaS uses, has these headers."""
    before = time.time()
    first = client.simulate_get("/b/models")
    second = client.simulate_get("/nosuch")
    for reply, status, remaining in ((first, 200, "1"), (second, 404, "0")):
        assert reply.status_code == status
        assert reply.headers["X-Ratelimit-Limit"] == "2"
        assert reply.headers["X-Ratelimit-Remaining"] == remaining
        reset = int(reply.headers["X-Ratelimit-Reset"])
        assert before + 3600 <= reset <= time.time() + 3601


def test_one_too_many_is_refused_and_told_when_to_come_again(client):
    for _ in range(2):
        client.simulate_get("/b/models")
    reply = client.simulate_get("/b/models")
    assert reply.status_code == 429
    assert reply.json["error"].startswith("Limit exceeded: 2 requests an hour")
    assert 3590 <= int(reply.headers["Retry-After"]) <= 3600
    assert reply.headers["X-Ratelimit-Remaining"] == "0"
    assert len(reply.headers["X-Request-Id"]) == 32


def test_another_address_is_another_client_and_headers_are_not_believed(client):
    for n in range(3):
        headers = {"X-Forwarded-For": f"192.0.2.{n}", "X-Real-Ip": f"192.0.2.{n}"}
        reply = client.simulate_get("/b/models", headers=headers)
    assert reply.status_code == 429
    reply = client.simulate_get("/b/models", extras={"REMOTE_ADDR": "192.0.2.9"})
    assert reply.status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_probes_are_never_refused(client, path):
    for _ in range(5):
        reply = client.simulate_get("/b" + path)
        assert reply.status_code == 200
        assert "X-Ratelimit-Limit" not in reply.headers
    assert client.simulate_get("/b/models").headers["X-Ratelimit-Remaining"] == "1"


def test_a_request_that_the_server_refuses_counts_too(client):
    def ask():
        environ = create_environ("/b/models", **HERE)
        environ[REFUSED] = Overloaded("too many requests wait")
        replies = []
        client.app(environ, lambda *reply: replies.append(reply))
        ((line, headers),) = replies
        return int(line.split()[0]), dict(headers)["x-ratelimit-remaining"]

    assert [ask(), ask(), ask()] == [(503, "1"), (503, "0"), (429, "0")]


def test_without_a_rate_there_are_no_headers(tmp_path):
    config = Config(model_dir=tmp_path, provider="cpu")
    client = LocalClient(create_app(create_services(config), config))
    headers = client.simulate_get("/models").headers
    assert not [name for name in headers if "rate" in name.lower()]
