"""Replies are judged as a browser judges them, by the steps of the Fetch standard."""

import dataclasses
import hashlib
import re

import pytest
from falcon.testing import create_environ

from runtime.access.limiter import RateLimiter
from runtime.errors import Overloaded
from runtime.http.application import create_app
from runtime.http.environ_keys import CORS, REFUSED
from tests.clients import HERE, LocalClient
from tests.documents import ROOT
from tests.forms import form, png

LAB = "https://lab.example:8443"
OTHER = "https://other.example"
TOKEN = {"Authorization": "Bearer secret"}
DIGESTS = (hashlib.sha256(b"secret").hexdigest(),)

# https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name
READABLE = {
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
}


def listed(reply, name):
    """Read a header that holds a list, in small letters."""
    return [x.strip().lower() for x in reply.headers.get(name, "").split(",") if x]


def may_read(reply, origin, credentials="omit"):
    """Do the standard's "CORS check"."""
    allowed = reply.headers.get("Access-Control-Allow-Origin")
    if credentials != "include" and allowed == "*":
        return True
    if allowed != origin:
        return False
    return (
        credentials != "include"
        or reply.headers.get("Access-Control-Allow-Credentials") == "true"
    )


def may_ask(reply, origin, method, headers, credentials="omit"):
    """Judge the reply to a preflight as the standard's "CORS-preflight fetch" does."""
    if not may_read(reply, origin, credentials) or not 200 <= reply.status_code < 300:
        return False
    methods = listed(reply, "Access-Control-Allow-Methods")
    names = listed(reply, "Access-Control-Allow-Headers")
    assert "*" not in (*methods, *names), "it says nothing if a request has credentials"
    return (method in ("GET", "HEAD", "POST") or method.lower() in methods) and all(
        name in names for name in headers
    )


@pytest.fixture
def client_of(services, config):
    """Return a function that makes the client of a service with these settings."""

    def make(*origins, **changes):
        changed = dataclasses.replace(config, cors_origins=origins, **changes)
        mine = services
        if changed.rate:
            limiter = RateLimiter(changed.rate)
            mine = dataclasses.replace(services, limiter=limiter)
        return LocalClient(create_app(mine, changed))

    return make


def preflight(client, path, method="POST", headers=(), origin=LAB):
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = ",".join(headers)
    return client.simulate_options(path, headers=asked)


def predict(client, headers=None, model="linear", path="/predict/image"):
    body, its = form(image=png([[1, 2], [3, 4]]), model=model)
    return client.simulate_post(path, body=body, headers={**its, **(headers or {})})


@pytest.mark.parametrize(
    ("origins", "origin", "credentials", "readable"),
    [
        ([LAB], LAB, "omit", True),
        ([LAB], LAB, "include", True),
        ([OTHER, LAB], LAB, "omit", True),
        ([LAB], OTHER, "omit", False),
        ([LAB], "null", "omit", False),
        ([LAB], "https://lab.example", "omit", False),
        ([LAB], "http://lab.example:8443", "omit", False),
        ([LAB], f"{LAB}0", "omit", False),
        ([LAB], f"{LAB}.example", "omit", False),
        ([LAB], f"{LAB}, {OTHER}", "omit", False),
        ([LAB], "", "omit", False),
        (["*"], OTHER, "omit", True),
        (["*"], OTHER, "include", False),
        (["*"], "null", "omit", True),
        ([], LAB, "omit", False),
        ([], "null", "omit", False),
    ],
)
def test_a_page_reads_a_reply_if_its_origin_is_listed(
    client_of, publish, origins, origin, credentials, readable
):
    publish("linear", channels=1)
    client = client_of(*origins)
    headers = {"Origin": origin}
    for reply in (
        client.simulate_get("/models", headers=headers),
        predict(client, headers),  # Falcon has no part in this one
    ):
        assert reply.status_code == 200
        assert may_read(reply, origin, credentials) == readable
        # A page that is not listed does not hear of those that are.
        assert ("Access-Control-Allow-Origin" in reply.headers) == (
            readable or origins == ["*"]
        )


READ = ("authorization", "content-type")


@pytest.mark.parametrize(
    ("path", "method", "headers", "allowed"),
    [
        ("/predict/image", "POST", READ, True),
        ("/predict/json", "POST", ("content-type", "x-request-id"), True),
        ("/predict", "POST", ("traceparent", "tracestate", "x-timeout-ms"), True),
        ("/predict", "PUT", (), False),
        ("/predict", "POST", ("x-secret",), False),
        ("/predict", "POST", ("x-forwarded-for",), False),
        ("/predict", "POST", ("x-tfaas-token",), False),
        ("/v2/models/m/infer", "POST", ("inference-header-content-length",), True),
        ("/upload", "POST", ("authorization", "content-encoding"), True),
        ("/models/m/1", "DELETE", ("authorization",), True),
        ("/models/m/labels/stable", "PUT", READ, True),
        ("/models/m/labels/stable", "PATCH", READ, False),
        ("/models", "GET", ("authorization",), True),
        ("/models", "HEAD", ("authorization",), True),
        ("/nosuch", "GET", ("authorization",), False),
    ],
)
@pytest.mark.parametrize("origins", [[LAB], ["*"]])
def test_a_preflight_tells_what_a_page_may_ask(
    client_of, origins, path, method, headers, allowed
):
    # A preflight carries no token, though the route wants one.
    client = client_of(
        *origins, base="/b", write_tokens=DIGESTS, predict_tokens=DIGESTS
    )
    reply = preflight(client, f"/b{path}", method, headers)
    assert may_ask(reply, LAB, method, headers) == allowed
    if allowed:
        assert reply.text == ""
        # https://source.chromium.org has this as its longest time.
        assert reply.headers["Access-Control-Max-Age"] == "7200"


def test_the_header_that_carries_the_token_may_be_sent(client_of):
    client = client_of(LAB, token_header="X-TFaaS-Token")
    # A proxy may want the other one.
    for name in ("x-tfaas-token", "authorization"):
        assert may_ask(
            preflight(client, "/predict", "POST", [name]), LAB, "POST", [name]
        )


def test_a_preflight_of_an_origin_that_is_not_listed_is_told_nothing(client_of):
    for client in (client_of(LAB), client_of()):
        reply = preflight(client, "/predict", origin=OTHER)
        assert not [name for name in reply.headers if name.startswith("access-control")]


def test_preflights_are_not_counted(client_of):
    client = client_of(LAB, rate="1-H")
    for _ in range(3):
        assert may_ask(preflight(client, "/predict"), LAB, "POST", ())
    # These are no preflights: each lacks a header.
    reply = client.simulate_options("/predict", headers={"Origin": LAB})
    assert reply.headers["X-Ratelimit-Remaining"] == "0"
    asked = {"Access-Control-Request-Method": "POST"}
    reply = client.simulate_options("/predict", headers=asked)
    assert reply.status_code == 429
    reply = client.simulate_post("/predict", headers={"Origin": LAB, **asked})
    assert reply.status_code == 429


def refused_by_the_server(client):
    environ = create_environ(
        "/predict/image", method="POST", headers={"Origin": LAB, **TOKEN}, **HERE
    )
    environ[REFUSED] = Overloaded("too many large bodies come at once")
    heads = []
    client.app(environ, lambda *head: heads.append(head))
    ((status, headers),) = heads
    # The server finds them for replies of its own.
    assert set(environ[CORS]) <= set(headers)
    return int(status[:3]), {name.title(): value for name, value in headers}


@dataclasses.dataclass
class Reply:
    status_code: int
    headers: dict


# All ways to a reply: with Falcon and without it, whole and in pieces.
ASKING = {
    "a prediction": (200, lambda ask: predict(ask)),
    "a list": (200, lambda ask: ask.simulate_get("/models")),
    "a download": (200, lambda ask: ask.simulate_get("/download/linear/params.json")),
    "a bundle": (200, lambda ask: ask.simulate_get("/models/linear/1/bundle")),
    "a packed reply": (
        200,
        lambda ask: ask.simulate_post(
            "/v2/models/linear/infer",
            json={
                "inputs": [
                    {
                        "name": "pixels",
                        "datatype": "FP32",
                        "shape": [1, 2, 2, 1],
                        "data": [1, 2, 3, 4],
                    }
                ]
            },
            headers={"Accept-Encoding": "gzip"},
        ),
    ),
    "no token": (401, lambda ask: predict(ask, {"Authorization": ""})),
    "no token for a list": (
        401,
        lambda ask: ask.simulate_get("/models", headers={"Authorization": ""}),
    ),
    "a wrong input": (
        400,
        lambda ask: ask.simulate_post("/predict/json", body=b"{"),
    ),
    "no model": (404, lambda ask: predict(ask, model="nosuch")),
    "no model to show": (404, lambda ask: ask.simulate_get("/models/nosuch")),
    "no route": (404, lambda ask: ask.simulate_get("/nosuch")),
    "another method": (405, lambda ask: ask.simulate_get("/predict")),
    "a large body": (
        413,
        lambda ask: ask.simulate_post("/predict/json", body=bytes(100_001)),
    ),
    "a method of no route": (405, lambda ask: ask.simulate_request("TRACE", "/models")),
}


@pytest.mark.parametrize("kind", ASKING)
def test_every_reply_is_read_with_all_that_it_tells(client_of, publish, kind):
    publish("linear", channels=1)
    client = client_of(LAB, predict_tokens=DIGESTS)
    client._default_headers.update({"Origin": LAB, **TOKEN})
    status, ask = ASKING[kind]
    reply = ask(client)
    assert reply.status_code == status, reply.text
    check(reply)


def test_a_request_too_many_is_read(client_of):
    client = client_of(LAB, rate="1-H")
    client._default_headers["Origin"] = LAB
    replies = [client.simulate_get("/models") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 429]
    for reply in replies:
        check(reply)


def test_what_the_server_refuses_is_read(client_of):
    status, headers = refused_by_the_server(client_of(LAB))
    assert status == 503
    check(Reply(status, headers))


def check(reply):
    """Check that a page of the origin may read a reply and its headers."""
    assert may_read(reply, LAB, "include")
    readable = READABLE | set(listed(reply, "Access-Control-Expose-Headers"))
    # A browser uses these itself; none tells a script anything.
    silent = {"vary", "content-encoding", "accept-ranges", "x-content-type-options"}
    kinds = ("allow-origin", "allow-credentials", "expose-headers")
    its_own = {f"access-control-{kind}" for kind in kinds}
    assert set(map(str.lower, reply.headers)) <= readable | silent | its_own


def test_a_reply_that_depends_on_the_origin_says_so_to_caches(client_of):
    for origin in ({}, {"Origin": LAB}, {"Origin": OTHER}):
        reply = client_of(LAB).simulate_get("/netron", headers=origin)
        assert "origin" in listed(reply, "Vary")
        reply = client_of("*").simulate_get("/netron", headers=origin)
        assert "Vary" not in reply.headers
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in reply.headers
        assert "Vary" not in client_of().simulate_get("/netron", headers=origin).headers


def test_a_listed_origin_gets_no_right_to_write(client_of):
    """Without tokens the gate believes a page of this service's own address alone."""
    client = client_of("http://localhost:3000")
    for origin, status in (
        ("http://localhost:3000", 403),
        ("http://localhost:8083", 404),
    ):
        reply = client.simulate_delete("/models/nosuch/1", headers={"Origin": origin})
        assert reply.status_code == status


# A proxy or the browser itself sets these; for some, a script is not allowed to.
NOT_OF_A_SCRIPT = {
    "ACCEPT",
    "ACCEPT_ENCODING",
    "ACCESS_CONTROL_REQUEST_METHOD",
    "EXPECT",
    "HOST",
    "ORIGIN",
    "SEC_FETCH_SITE",
    "TRANSFER_ENCODING",
    "VIA",
    "X_FORWARDED_FOR",
}


def test_all_headers_that_the_service_reads_may_be_sent(client_of):
    texts = [path.read_text() for path in (ROOT / "runtime").rglob("*.py")]
    read = {
        name
        for text in texts
        for name in re.findall(r'"HTTP_([A-Z][A-Z_]+[A-Z])"', text)
    }
    assert len(read) > len(NOT_OF_A_SCRIPT), "the code names headers in another way"
    reply = preflight(client_of(LAB), "/predict")
    allowed = {
        name.upper().replace("-", "_")
        for name in listed(reply, "Access-Control-Allow-Headers")
    }
    assert read - NOT_OF_A_SCRIPT <= allowed
