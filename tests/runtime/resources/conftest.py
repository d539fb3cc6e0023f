"""The service over a store that tests fill."""

import pytest
from falcon.testing import TestClient

from runtime.app import create_app, create_services
from runtime.config import Config


@pytest.fixture
def config(tmp_path):
    return Config(
        model_dir=tmp_path / "models",
        provider="cpu",
        max_body_bytes=100_000,
        max_upload_bytes=1_000_000,
    )


@pytest.fixture
def services(config):
    return create_services(config)


@pytest.fixture
def client(services, config):
    return TestClient(create_app(services, config))
