"""One store, and both ways to its models: the service's rooms, and HTTP."""

from dataclasses import replace

import httpx
import pytest

from runtime.access.tokens import digest_of
from runtime.admin.local import LocalAdmin
from runtime.admin.remote import RemoteAdmin
from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from tests.examples import write_bundle
from tfaas_onnx import Client

URL = "http://service:8083/base"


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Config(model_dir=tmp_path / "models", provider="cpu", base="/base")


@pytest.fixture
def folder(tmp_path):
    """Return a bundle of model ``linear``."""
    return write_bundle(tmp_path / "trained")


@pytest.fixture
def remote(config):
    config = replace(config, write_tokens=(digest_of("a-token"),))
    transport = httpx.WSGITransport(create_app(create_services(config), config))
    with Client(URL, token="a-token", transport=transport) as client:
        yield RemoteAdmin(client)


@pytest.fixture
def local(config):
    return LocalAdmin(config)


@pytest.fixture(params=["local", "remote"])
def admin(request):
    return request.getfixturevalue(request.param)
