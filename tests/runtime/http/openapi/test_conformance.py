"""The service answers as its OpenAPI document says, on each status that it names."""

import io
import json
import logging
import os
import re
import shutil
import tarfile
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import count

import pytest
import schemathesis
from hypothesis import Phase, given, settings
from werkzeug.test import Client

from bundle.store import ModelStore
from runtime import services as rooms
from runtime.access.gate import Gate
from runtime.config import Config
from runtime.errors import Overloaded, RateLimited, TooSlow
from runtime.http.application import create_app
from runtime.http.environ_keys import ARRIVED, REFUSED
from runtime.http.openapi.document import make_document
from runtime.http.page import netron
from runtime.http.resources.predict import PROTOBUF
from runtime.process.drain import DRAINING
from runtime.services import create_services
from tests.fuzz.inputs import Request, whole_requests, write_store
from tests.runtime.conftest import trial_here

DOCUMENT = make_document(Gate())
LABELS = {
    f"{method.upper()} {path}": (path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
OPERATIONS = {
    found.ok().label: found.ok()
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
MOST_BYTES = 100_000
HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8083"}
INFERENCE = (
    b'{"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [1]}]}'
)
# `make fuzz` sends so many requests to each operation.
EXAMPLES = int(os.environ.get("FUZZ", "180")) // 30


class Service:
    """The service, with a store that is filled anew after each request that writes."""

    def __init__(self, folder, **settings):
        self._models = folder / "models"
        config = Config(
            model_dir=self._models,
            static_dir=str(folder / "static"),
            provider="cpu",
            onnx="require",
            export_on_upload="off",
            max_body_bytes=MOST_BYTES,
            max_upload_bytes=MOST_BYTES,
            **settings,
        )
        self.application = create_app(create_services(config), config)
        self._client = Client(self.application)
        self._is_filled = False

    def __call__(self, environ, start_response):
        """Answer a request of this machine, as WSGI has it.

        schemathesis asks for packed replies here, and does not unpack them.
        """
        environ.pop("HTTP_ACCEPT_ENCODING", None)
        return self.application(environ | HERE, start_response)

    def ask(self, request, **environ):
        if not self._is_filled:
            self.refill()
        self._is_filled = "403" not in LABELS[label_of(request)][1]["responses"]
        headers = {name: text.decode() for name, text in request.headers.items()}
        reply = self._client.open(
            request.path.decode(),
            method=request.method,
            query_string=request.query.decode(),
            headers=headers,
            data=request.body,
            environ_overrides=HERE | environ,
        )
        reply.get_data()
        reply.close()
        return reply

    def refill(self):
        shutil.rmtree(self._models, ignore_errors=True)
        write_store(self._models)
        linear, broken = self._models / "linear", self._models / "broken" / "1"
        shutil.copytree(linear / "1", linear / "2")
        (linear / ".labels").mkdir()
        (linear / ".labels" / "canary").write_text("2\n")
        broken.mkdir(parents=True)
        (broken / "params.json").write_text("[]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    for name in ("js", "css", "images"):
        (folder / "static" / name).mkdir(parents=True)
        (folder / "static" / name / "a.txt").write_text("abc")
    return folder


@pytest.fixture(autouse=True, scope="module")
def silence():
    """Keep the many expected errors out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def service(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "ChildTrial", trial_here)
        return Service(folder)


@pytest.fixture(scope="module")
def whole(service, tmp_path_factory):
    """Return the requests that the fuzzer damages, by the operation."""
    found = {label: [] for label in LABELS}
    for request in whole_requests(service.application, tmp_path_factory.mktemp("it")):
        if request.method != "HEAD":
            found[label_of(request)].append(placed(request))
    return found


def label_of(request):
    """Return the operation of a request: the one with the fewest names in braces."""
    path = request.path.decode().rstrip("/") or "/"
    fits = [
        label
        for label, (template, _) in LABELS.items()
        if label.startswith(f"{request.method} ")
        and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
    ]
    return min(fits, key=lambda label: label.count("{"))


def placed(request):
    """Put the document's own example of a file into the path."""
    path, operation = LABELS[label_of(request)]
    for parameter in operation["parameters"]:
        if parameter.get("in") == "path":
            name, value = parameter["name"], str(parameter["example"])
            path = path.replace(f"{{{name}}}", value)
    return replace(request, path=path.encode())


def check(label, reply):
    """Compare a reply with the document: status, type, headers and content."""
    OPERATIONS[label].validate_response(reply)


def named_by(label):
    return LABELS[label][1]["responses"].keys()


# -- each status ----------------------------------------------------------------------


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
BY_WHOLE = {"200", "301"}
ELSEWHERE = {"401", "403"}


@pytest.mark.parametrize("label", LABELS)
def test_each_status_that_an_operation_names(label, service, whole):
    first = whole[label][0]
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
    if label != "GET /params":  # it refuses all requests
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


# -- examples -------------------------------------------------------------------------


def examples():
    """Give each example of a body, with its operation and content type."""
    for label, (_, operation) in LABELS.items():
        content = operation.get("requestBody", {}).get("content", {})
        for kind, media in content.items():
            for name, example in media.get("examples", {}).items():
                yield pytest.param(label, kind, example["value"], id=f"{label} {name}")


@pytest.mark.parametrize(("label", "kind", "value"), [*examples()])
def test_an_example_is_answered(service, label, kind, value):
    method, path = label.split(" ")
    request = Request(method, path.encode(), body=json.dumps(value).encode())
    headers = {"Content-Type": kind.encode()}
    for name, place in (("name", "linear"), ("version", "1"), ("label", "canary")):
        request = replace(
            request, path=request.path.replace(f"{{{name}}}".encode(), place.encode())
        )
    reply = service.ask(replace(request, headers=headers))
    assert reply.status_code == 200, reply.json
    check(label, reply)


# -- anything that the document allows ------------------------------------------------


def narrowed(document):
    """Let the document name things that the store has, so that more than 404 comes."""
    names = {"name": ["linear", "pair", "nosuch"], "file": ["params.json"]}
    narrow = json.loads(json.dumps(document))
    for methods in narrow["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter.get("in") == "path" and parameter["name"] in names:
                    parameter["schema"] = {"enum": names[parameter["name"]]}
    for schema in narrow["components"]["schemas"].values():
        if "model" in schema["properties"] and "values" in schema["properties"]:
            schema["properties"]["model"] = {"enum": ["linear", "pair"]}
    return narrow


@schemathesis.serializer(PROTOBUF)
def serialize(context, value):
    """Send any bytes as protobuf; the document says no more about them."""
    return str(value).encode()


@pytest.fixture(scope="module")
def fuzzed(service):
    schema = schemathesis.openapi.from_dict(narrowed(DOCUMENT))
    schema.app = service
    return {found.ok().label: found.ok() for found in schema.get_all_operations()}


@pytest.mark.parametrize("label", LABELS)
def test_what_the_document_allows_is_answered_as_it_says(label, service, fuzzed):
    @given(case=fuzzed[label].as_strategy())
    @settings(max_examples=EXAMPLES, phases=[Phase.generate])
    def ask(case):
        reply = case.call()
        assert reply.status_code not in (401, 403, 500), reply.text
        check(label, reply)

    ask()
    service.refill()
