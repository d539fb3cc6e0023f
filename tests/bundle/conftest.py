"""A store in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.store import ModelStore


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder that could be on another disk."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder
