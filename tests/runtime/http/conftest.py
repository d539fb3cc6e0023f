"""The service runs over a store that tests fill."""

import pytest

from bundle.store import ModelStore
from tests.examples import write_bundle


@pytest.fixture
def store(config):
    return ModelStore(config.model_dir)


@pytest.fixture
def publish(store):
    """Publish a model's next version; it takes images only if ``channels`` says so."""

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
