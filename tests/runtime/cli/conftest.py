"""The commands run in a folder of their own, with a config.json and a store."""

import functools

import pytest

from bundle.store import ModelStore
from tests.runtime.cli.commands import add_versions


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODELS_SERVER", raising=False)
    (tmp_path / "config.json").write_text('{"provider": "cpu"}')
    return tmp_path


@pytest.fixture
def store(place):
    return ModelStore(place / "models")


@pytest.fixture
def versions(store):
    return functools.partial(add_versions, store)
