"""Both clients do the same steps, each in its own way."""

import asyncio
import inspect
import json
import subprocess
import sys

import httpx
import numpy as np
import pytest

from tfaas_onnx import (
    AsyncClient,
    Body,
    Client,
    NotAService,
    Outputs,
    Timeout,
    Unreachable,
    WrongArgument,
)
from tfaas_onnx.predictions import only_output

URL = "http://me:secret@service:8083/ml/"
PUBLISHED = {"name": "a", "version": 1, "backend": "b"}


def asked(handle, call, **options):
    """Ask by both clients, and return what they answer; it must be the same."""
    transport = httpx.MockTransport(handle)
    with Client(URL, transport=transport, **options) as client:
        first = call(client)

    async def ask():
        async with AsyncClient(URL, transport=transport, **options) as twin:
            return await call(twin)

    assert asyncio.run(ask()) == first
    return first


def fails(handle, call, error, words, **options):
    transport = httpx.MockTransport(handle)
    with (
        Client(URL, transport=transport, **options) as client,
        pytest.raises(error, match=words),
    ):
        call(client)

    async def ask():
        async with AsyncClient(URL, transport=transport, **options) as twin:
            with pytest.raises(error, match=words):
                await call(twin)

    asyncio.run(ask())


def test_the_twins_have_the_same_methods_with_the_same_arguments():
    def public(kind):
        return {
            name: list(inspect.signature(method).parameters.values())
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    first, second = public(Client), public(AsyncClient)
    assert first == second
    assert {"predict", "predict_image", "upload", "status", "ready"} <= first.keys()


def test_a_request_goes_below_the_base_with_the_token():
    seen = []

    def handle(request):
        seen.append(request)
        return httpx.Response(200, json=[])

    options = {"token": "a-token", "token_header": "X-Token"}
    assert asked(handle, lambda client: client.models(), **options) == []
    for request in seen:
        assert request.url.path == "/ml/models"
        assert request.headers["X-Token"] == "Bearer a-token"
        assert request.headers["Authorization"].startswith("Basic ")
        assert request.headers["User-Agent"].startswith("tfaas-onnx/")


def test_a_form_has_the_picture_and_the_time_that_is_left():
    def handle(request):
        assert b'name="image"; filename="picture"' in request.content
        assert b"GIF89a" in request.content
        assert request.headers["X-Timeout-Ms"] == "1500"
        assert dict(request.url.params) == {"model": "a", "top": "1000000"}
        labels = [{"label": "x", "probability": 1.0}]
        return httpx.Response(200, json={"labels": labels})

    def label_of(client):
        answer = client.predict_image(b"GIF89a", model="a")
        if not inspect.isawaitable(answer):
            return answer.label

        async def wait():
            return (await answer).label

        return wait()

    assert asked(handle, label_of, timeout=1.5) == "x"


def test_an_upload_is_sent_in_pieces_with_its_length():
    def handle(request):
        assert request.headers["Content-Length"] == "6"
        assert "Transfer-Encoding" not in request.headers
        assert request.content == b"onetwo"
        return httpx.Response(200, json=PUBLISHED)

    class Pieces(httpx.MockTransport):
        """httpx's own transport for tests reads the body of each request."""

    transport = Pieces(handle)
    body = Body(lambda: iter([b"one", b"two"]), 6)
    with Client(URL, transport=transport) as client:
        assert client.upload(body).version == 1

    async def ask():
        async with AsyncClient(URL, transport=transport) as twin:
            return await twin.upload(body)

    assert asyncio.run(ask()).name == "a"


def test_a_failed_call_is_repeated_after_a_wait():
    statuses = iter([503, 200, 503, 200])

    def handle(request):
        return httpx.Response(
            next(statuses), headers={"Retry-After": "0"}, content=b"[]"
        )

    assert asked(handle, lambda client: client.models()) == []


def test_a_reply_without_an_end_is_not_read_to_it():
    def handle(request):
        return httpx.Response(200, content=b" " * 2000)

    fails(
        handle,
        lambda client: client.models(),
        NotAService,
        "/models with more than 1000 bytes",
        max_reply_bytes=1000,
    )


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (httpx.ReadTimeout("x"), Timeout, r"service:8083/ml is silent for 30 seconds$"),
        (httpx.ConnectTimeout("x"), Unreachable, "no connection in 10 seconds"),
        (httpx.ReadError("reset"), Unreachable, r"broke \(reset\)"),
        (httpx.ConnectError("no route"), Unreachable, "cannot be reached: no route"),
    ],
)
def test_a_connection_that_fails_is_a_sentence_without_the_password(
    failure, error, words
):
    def handle(request):
        raise failure

    fails(handle, lambda client: client.models(), error, words, retries=0)
    fails(handle, lambda client: client.models(), error, "^((?!secret).)*$", retries=0)


def test_a_host_that_lets_connections_wait_is_not_asked_again():
    asked = []

    def handle(request):
        asked.append(request)
        raise httpx.ConnectTimeout("x")

    fails(handle, lambda client: client.models(), Unreachable, "does not answer")
    assert len(asked) == 2  # each client asked once


def test_one_array_needs_one_output():
    array = np.zeros(1)
    assert only_output(Outputs({"a": array})) is array
    with pytest.raises(WrongArgument, match="must be a dict, .* outputs a, b"):
        only_output(Outputs({"a": array, "b": array}))


@pytest.mark.slow
def test_the_client_imports_nothing_of_the_service():
    script = """
import json, sys
import tfaas_onnx
ours = {"bundle", "runtime", "exporter", "trainer", "PIL", "onnxruntime", "orjson"}
print(json.dumps(sorted(ours & set(sys.modules))))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
