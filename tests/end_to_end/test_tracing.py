"""A real collector gets the spans of a real server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from runtime.wire.oip.inference_pb2 import ServerReadyRequest
from tests.end_to_end.conftest import (
    CLIENT,
    PATIENCE,
    RUNTIME,
    own_address,
    run_python,
    serving,
)
from tests.end_to_end.grpc_client import GrpcClient, infer_request
from tests.examples import write_bundle
from tests.forms import png

TRACE, PARENT = "0123456789abcdef" * 2, "fedcba9876543210"


class Collector(BaseHTTPRequestHandler):
    """A collector that keeps all that is posted to /v1/traces."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextmanager
def collecting() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.requests = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def plain(attributes):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def read(collector):
    """Return the spans by their names, and their resource."""
    spans = {}
    for request in collector.requests:
        (of_resource,) = request.resource_spans
        resource = plain(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            spans.update({span.name: span for span in of_scope.spans})
    return spans, resource


@pytest.fixture
def collected(tmp_path):
    """Give the spans of some requests, their resource, and the server's log."""
    write_bundle(tmp_path / "models" / "linear" / "1")
    with collecting() as collector:
        command = (
            f"env OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{collector.server_port}"
            f" TFAAS_TRACING=true TFAAS_LOG_FORMAT=json {RUNTIME}"
        )
        with serving(command, tmp_path) as server:
            for path in ("/livez", "/metrics", "/readyz"):
                assert CLIENT.get(server.url + path).status_code == 200
            reply = CLIENT.post(
                f"{server.url}/predict/image",
                params={"token": "secret"},
                files={"image": ("x.png", png([[1, 2], [3, 4]]))},
                data={"model": "linear"},
                headers={
                    "traceparent": f"00-{TRACE}-{PARENT}-01",
                    "User-Agent": "test",
                },
            )
            assert reply.json() == [1, 2, 7]
            assert CLIENT.get(f"{server.url}/params/nosuch").status_code == 404
            # The server sends its last spans when it ends.
            server.process.terminate()
            assert server.process.wait(PATIENCE) == 0
        yield *read(collector), (tmp_path / "server.log").read_text()


def test_a_collector_gets_what_the_conventions_say(collected):
    """opentelemetry.io/docs/specs/semconv/http/http-spans lists the stable names."""
    spans, resource, log = collected
    assert resource["service.name"] == "tfaas-onnx"
    assert {"GET /livez", "GET /metrics", "GET /readyz"}.isdisjoint(spans)

    span = spans["POST /predict/image"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.kind == span.SPAN_KIND_SERVER
    assert span.status.code == span.status.STATUS_CODE_UNSET
    attributes = plain(span.attributes)
    assert "secret" not in str(span)
    assert (
        attributes.items()
        >= {
            "http.request.method": "POST",
            "http.route": "/predict/image",
            "http.response.status_code": 200,
            "url.path": "/predict/image",
            "url.scheme": "http",
            "client.address": "127.0.0.1",
            "network.protocol.version": "1.1",
            "user_agent.original": "test",
        }.items()
    )
    assert TRACE in log

    missing = spans["GET /params/{name}"]
    assert not missing.parent_span_id
    assert plain(missing.attributes)["http.response.status_code"] == 404
    assert missing.status.code == missing.status.STATUS_CODE_UNSET


def test_a_call_of_grpc_has_its_span(tmp_path):
    write_bundle(tmp_path / "models" / "linear" / "1")
    host, port = own_address()
    with collecting() as collector:
        command = (
            f"env OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{collector.server_port}"
            f" TFAAS_TRACING=true {RUNTIME} --host {host} --grpc-port {port}"
        )
        with serving(command, tmp_path) as server:
            pixels = np.arange(4).reshape(1, 2, 2, 1)
            parent = f"00-{TRACE}-{PARENT}-01"
            with GrpcClient(f"{host}:{port}", traceparent=parent) as client:
                client.ask("ServerReady", ServerReadyRequest())
                client.ask("ModelInfer", infer_request("linear", pixels=pixels))
                client.refusal("ModelInfer", infer_request("nosuch", pixels=pixels))
            server.process.terminate()
            assert server.process.wait(PATIENCE) == 0
        found = [
            span
            for request in collector.requests
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
            if span.kind == span.SPAN_KIND_SERVER
        ]
    answered, refused = sorted(found, key=lambda span: span.start_time_unix_nano)
    for span in (answered, refused):
        assert span.name == "inference.GRPCInferenceService/ModelInfer"
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
        assert span.status.code == span.status.STATUS_CODE_UNSET
    attributes = plain(answered.attributes)
    assert (
        attributes.items()
        >= {
            "rpc.system": "grpc",
            "rpc.service": "inference.GRPCInferenceService",
            "rpc.method": "ModelInfer",
            "rpc.grpc.status_code": 0,
            "tfaas.model": "linear",
        }.items()
    )
    assert plain(refused.attributes)["rpc.grpc.status_code"] == 5


STAGES = """
import multiprocessing, os, sys
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = sys.argv[1]
os.environ["OTEL_SERVICE_NAME"] = "mine"
import falcon
from tests.clients import LocalClient
from runtime.access.gate import Gate
from runtime.http.caller import address_reader
from runtime.http.environ_keys import JOURNEY
from runtime.http.middleware.render import Render
from runtime.http.middleware.watch import Watch
from runtime.telemetry.journey import clock
from runtime.telemetry.tracing import Tracing

class Answer:
    def on_get(self, req, resp):
        for stage in ("queue", "decode", "infer", "encode"):
            start = clock()
            req.env[JOURNEY].laps.append((stage, start, clock()))

    def on_post(self, req, resp):
        raise falcon.HTTPServiceUnavailable()

watch = Watch(frozenset(), Tracing(), 0, address_reader(Gate()))
app = falcon.App(middleware=[watch, Render()])
app.add_route("/answer", Answer())
client = LocalClient(app)

def work():
    client.simulate_post("/answer")

# As servers start their workers: the application is made, and then they fork.
worker = multiprocessing.get_context("fork").Process(target=work)
worker.start()
worker.join()
client.simulate_get("/answer")
"""


def test_stages_are_children_and_a_worker_sends_its_own_at_its_end(tmp_path):
    with collecting() as collector:
        url = f"http://127.0.0.1:{collector.server_port}"
        done = run_python(STAGES, tmp_path, url)
        assert (done.returncode, done.stderr) == (0, "")
        spans, resource = read(collector)
    assert resource["service.name"] == "mine"
    span = spans["GET /answer"]
    start = span.start_time_unix_nano
    for stage in ("queue", "decode", "infer", "encode"):
        child = spans[stage]
        assert child.parent_span_id == span.span_id
        assert child.trace_id == span.trace_id
        assert start <= child.start_time_unix_nano <= child.end_time_unix_nano
        start = child.end_time_unix_nano
    assert start <= span.end_time_unix_nano

    failed = spans["POST /answer"]
    assert failed.status.code == failed.status.STATUS_CODE_ERROR
    assert plain(failed.attributes)["error.type"] == "503"
