"""The service over a store that tests fill."""

import pytest
from falcon.testing import TestClient

from bundle.store import ModelStore
from runtime.app import create_app, create_services
from runtime.config import Config
from tests.examples import write_bundle


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


@pytest.fixture
def store(config):
    return ModelStore(config.model_dir)


@pytest.fixture
def publish(store):
    """Publish a model's next version; it takes no images if nothing else is said."""

    def publish(name, onnx_bytes=None, *, channels=0, labels=(), **params):
        params = {"labels": "labels.txt" if labels else "", **params}
        return store.install(
            lambda folder: write_bundle(
                folder,
                name=name,
                onnx_bytes=onnx_bytes,
                labels=labels,
                params={"img_channels": channels, **params},
            )
        )

    return publish
