"""TensorFlow's import by the trainer leaves out what a training does not need."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec

import pytest

from trainer.engine import without_plots


@pytest.fixture
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no part of matplotlib be imported yet, as in a new process."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "matplotlib":
            monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("unimported")
def test_matplotlib_is_missing_in_the_block_and_there_after_it() -> None:
    with without_plots(), pytest.raises(ImportError):
        importlib.import_module("matplotlib.pyplot")
    assert find_spec("matplotlib") is not None


@pytest.mark.usefixtures("unimported")
def test_matplotlib_is_there_after_an_import_that_failed() -> None:
    with pytest.raises(KeyError), without_plots():
        raise KeyError
    assert "matplotlib" not in sys.modules


def test_matplotlib_that_is_imported_already_stays() -> None:
    matplotlib = importlib.import_module("matplotlib")
    with without_plots():
        assert sys.modules["matplotlib"] is matplotlib
    assert sys.modules["matplotlib"] is matplotlib
