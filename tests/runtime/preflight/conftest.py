from pathlib import Path

import pytest

from runtime.config import Config


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Return the default config, in a folder with an empty store."""
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    return Config()
