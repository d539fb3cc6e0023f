"""The numbers of nginx's file beside the service's; end_to_end/ runs the file."""

import re

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from runtime.config import Config
from runtime.http.routes import ROUTES, Lane
from runtime.wire.oip import inference_pb2
from runtime.wire.tfs import serving_pb2
from tests.deploy.tools import DEPLOY

FOLDER = DEPLOY / "nginx"
TEXT = (FOLDER / "tfaas-onnx.conf").read_text()
UNITS = {"m": 1 << 20, "g": 1 << 30}


def location(words):
    (found,) = re.findall(rf"location {re.escape(words)} \{{(.*?)\n    \}}", TEXT, re.S)
    return dict(
        line.strip().rstrip(";").split(maxsplit=1)
        for line in found.splitlines()
        if line.strip() and "#" not in line
    )


def bytes_of(text):
    return int(text[:-1]) * UNITS[text[-1]]


def test_bodies_have_the_services_limits():
    general = re.search(r"^    client_max_body_size (\w+);", TEXT, re.M)[1]
    assert bytes_of(general) == Config().max_body_bytes
    for words in ("= /upload", "/v2/repository/"):
        its = location(words)
        assert bytes_of(its["client_max_body_size"]) == Config().max_upload_bytes
        assert its["proxy_next_upstream"] == "off"
        assert int(its["proxy_read_timeout"][:-1]) > Config().trial_seconds
    streamed = {route.path for route in ROUTES if route.lane is Lane.STREAMED}
    assert streamed == {"/upload"}


def test_nginx_closes_an_idle_connection_before_the_service_does():
    # docs/serving.md, "Slow clients": the next request must come within 10 s.
    assert int(re.search(r"keepalive_timeout (\d+)s;", TEXT)[1]) < 10
    assert f"server 127.0.0.1:{Config().port};" in TEXT


def test_all_of_grpc_is_handed_on():
    text = (FOLDER / "tfaas-onnx-grpc.conf").read_text()
    pattern = re.search(r"location ~ (\S+) \{", text)[1]
    services = [
        # The messages have a package of their own, and the door TensorFlow's name.
        service.full_name.replace("tfaas.", "tensorflow.")
        for messages in (inference_pb2, serving_pb2, health_pb2, reflection_pb2)
        for service in messages.DESCRIPTOR.services_by_name.values()
    ]
    assert all(re.match(pattern, f"/{name}/Method") for name in services)
    others = {"/", "/predict", "/v2/models/m/infer"}
    assert not any(re.match(pattern, path) for path in others)
