import platform

import onnxruntime
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from bundle import __version__
from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import LocalClient


@pytest.fixture
def client(tmp_path):
    config = Config(model_dir=tmp_path / "models", provider="cpu")
    return LocalClient(create_app(create_services(config), config))


def test_prometheus_text_says_what_was_served(client):
    client.simulate_get("/models")
    reply = client.simulate_get("/metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {f.name: f for f in text_string_to_metric_families(reply.text)}
    assert {"python_info", "process_resident_memory_bytes"} <= families.keys()
    (build,) = families["tfaas_build_info"].samples
    assert build.value == 1
    assert build.labels == {
        "version": __version__,
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "providers": ",".join(onnxruntime.get_available_providers()),
    }
    routes = {s.labels.get("route") for s in families["tfaas_requests"].samples}
    assert "/models" in routes


def test_openmetrics_is_answered_to_who_asks_for_it(client):
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    reply = client.simulate_get("/metrics", headers={"Accept": accept})
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
    assert "tfaas_build_info" in {f.name for f in openmetrics(reply.text)}


@pytest.mark.parametrize("version", ["x", "1.x", "", "1"])
def test_a_version_that_is_none_is_answered_with_text(client, version):
    accept = f"application/openmetrics-text;version={version}"
    assert (
        client.simulate_get("/metrics", headers={"Accept": accept}).status_code == 200
    )


def test_head_answers_without_a_body(client):
    reply = client.simulate_head("/metrics")
    assert (reply.status_code, reply.content) == (200, b"")
