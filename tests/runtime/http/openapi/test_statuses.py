"""The service answers as its OpenAPI document says, on each status that it names."""

import io
import json
import tarfile
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import count

import pytest

from bundle.store import ModelStore
from runtime.errors import Overloaded, RateLimited, TooSlow
from runtime.feedback.counts import Count, Counts
from runtime.http.environ_keys import ARRIVED, REFUSED
from runtime.http.page import netron
from runtime.process.drain import DRAINING
from tests.forms import form, png
from tests.fuzz.inputs import Request
from tests.runtime.http.openapi.described import (
    LABELS,
    MOST_BYTES,
    Service,
    check,
    named_by,
)

# The whole requests have other pictures.
FULL, _ = form(image=png([[9, 9], [9, 9]]), model="linear", label="two")
INFERENCE = (
    b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1]}]}'
)


def of(name):
    """Ask for another model; all these names have six letters."""

    def change(service, request):
        old, new = b"linear", name.encode()
        changed = replace(
            request,
            path=request.path.replace(old, new).replace(b"start.js", b"nosuch"),
            body=request.body.replace(old, new),
        )
        if changed == request:
            changed = replace(request, path=request.path + b"x")
        return service.ask(changed)

    return change


def with_headers(service, request, **headers):
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return service.ask(replace(request, headers={**request.headers, **names}))


def refused(error, service, request):
    """Ask as the server does that refuses the request by itself."""
    return service.ask(request, **{REFUSED: error})


def late(service, request):
    """Ask with a request that came long ago."""
    headers = {**request.headers, "X-Timeout-Ms": b"1"}
    return service.ask(replace(request, headers=headers), **{ARRIVED: 1e-9})


def too_large(service, request):
    body = bytes(MOST_BYTES + 1)
    if request.path == b"/upload":
        body = tar("model.onnx", body)
    return service.ask(replace(request, body=body))


def tar(name, content):
    """Return a tar of a bundle with one file."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo(f"linear/{name}")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def conflicting(service, request):
    if request.path == b"/upload":
        return service.ask(replace(request, query=b"name=another"))
    if request.path == b"/feedback":
        full = {"linear": Count(10_000, 0)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Counts, "read", lambda counts: full)
            patch.setattr(Counts, "of_folder", lambda counts: full)
            # A picture that is there already is taken.
            return service.ask(replace(request, body=FULL))
    if request.method == "PUT":
        # The version is another one at each look.
        with pytest.MonkeyPatch.context() as patch:
            looks = count()
            patch.setattr(ModelStore, "origin", lambda *version: next(looks))
            return service.ask(request)
    # A label points to this version.
    return service.ask(replace(request, path=request.path.replace(b"1", b"2")))


def unprocessable(service, request):
    if request.path == b"/upload":
        return service.ask(replace(request, body=tar("params.json", b"[]")))
    return of("broken")(service, request)


def with_parameters(service, request):
    body = json.dumps({"parameters": {"config": "{}"}}).encode()
    return service.ask(replace(request, body=body))


def not_modified(service, request):
    later = b"Fri, 01 Jan 2100 00:00:00 GMT"
    return with_headers(service, request, If_None_Match=b"*", If_Modified_Since=later)


PROVOKED = {
    "206": partial(with_headers, Range=b"bytes=0-0"),
    "304": not_modified,
    "400": partial(with_headers, X_Timeout_Ms=b"x"),
    "404": of("nosuch"),
    "408": partial(refused, TooSlow("slow")),
    "409": conflicting,
    "413": too_large,
    "415": partial(with_headers, Content_Encoding=b"br"),
    "416": partial(with_headers, Range=b"bytes=9-"),
    "422": unprocessable,
    "429": partial(refused, RateLimited("often")),
    "500": partial(refused, RuntimeError("a bug")),
    "501": with_parameters,
    "503": partial(refused, Overloaded("busy")),
    "504": late,
}
# Whole requests get these; the two others need another service.
BY_WHOLE = {"200", "201", "301"}
ELSEWHERE = {"401", "403"}


@pytest.mark.parametrize("label", LABELS)
def test_each_status_that_an_operation_names(label, service, whole):
    first = whole[label][0]
    if b"context" in first.body:
        first = whole[label][1]  # the first one mixes integers and floats
    for status in named_by(label) - BY_WHOLE - ELSEWHERE:
        if (label, status) == ("GET /netron", "404"):
            continue  # another test has it
        reply = PROVOKED[status](service, first)
        assert str(reply.status_code) == status, (status, reply.get_data()[:300])
        check(label, reply)


@pytest.mark.parametrize("label", LABELS)
def test_whole_requests_are_answered_as_the_operation_says(label, service, whole):
    replies = [service.ask(request) for request in whole[label]]
    for reply in replies:
        check(label, reply)
    # Some routes refuse all requests, and the fuzzer's model answers three numbers.
    refuses = label in ("GET /params", "GET /v1/models") or "{repository}/mod" in label
    if not refuses and ":regress" not in label:
        assert min(reply.status_code for reply in replies) < 400


def test_a_request_without_a_token_or_from_elsewhere(service, folder, whole):
    token = "a" * 32
    digests = (sha256(token.encode()).hexdigest(),)
    guarded = Service(folder, predict_tokens=digests, write_tokens=digests)
    for label in LABELS:
        first = whole[label][0]
        reply = guarded.ask(first)
        assert (reply.status_code == 401) == ("401" in named_by(label)), label
        check(label, reply)
        reply = service.ask(first, REMOTE_ADDR="192.0.2.1")
        assert (reply.status_code == 403) == ("403" in named_by(label)), label
        check(label, reply)


def test_the_graph_viewer_is_there_or_is_not(service, folder, monkeypatch):
    ask = Request("GET", b"/netron")
    replies = [service.ask(ask), service.ask(replace(ask, path=b"/netron/"))]
    monkeypatch.setattr(netron, "viewer_files", dict)
    replies.append(Service(folder).ask(replace(ask, path=b"/netron/")))
    assert [reply.status_code for reply in replies] == [301, 200, 404]
    for reply in replies:
        check("GET /netron", reply)


def test_a_service_and_a_model_that_are_not_ready(service, monkeypatch):
    monkeypatch.setattr(DRAINING, "is_set", lambda: True)
    for path in ("/readyz", "/v2/health/ready"):
        reply = service.ask(Request("GET", path.encode()))
        assert reply.status_code == 503
        check(f"GET {path}", reply)
    service.refill()
    for tail in ("infer", "ready"):
        method = "POST" if tail == "infer" else "GET"
        path = f"/v2/models/broken/{tail}"
        reply = service.ask(Request(method, path.encode(), body=INFERENCE))
    assert (reply.status_code, reply.json["ready"]) == (503, False)
    check("GET /v2/models/{name}/ready", reply)
