"""A registry whose models are opened without an engine."""

import pytest

from bundle.store import ModelStore
from runtime.models.registry import ModelRegistry
from tests.runtime.models.openers import Opener


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


@pytest.fixture
def opener():
    return Opener()


@pytest.fixture
def registry(store, opener):
    return ModelRegistry(store, opener, limit=2)
