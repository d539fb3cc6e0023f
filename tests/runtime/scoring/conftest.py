"""A store with the model ``linear``, and the command over it."""

import pytest
from click.testing import CliRunner

from bundle.store import ModelStore
from runtime.cli import main
from tests.examples import mixed_onnx, write_bundle
from tests.mixed import FEATURES
from tests.runtime.scoring.makers import facts_with, save_pictures


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFAAS_CONFIG", raising=False)
    (tmp_path / "config.json").write_text('{"provider": "cpu"}')
    return tmp_path


@pytest.fixture
def store(place):
    """Return the store; it has the model ``linear``."""
    store = ModelStore(place / "models")
    store.install(write_bundle)
    return store


@pytest.fixture
def mixed(store):
    """Add the model ``mixed``, of numbers and texts by their names."""
    params = {"img_channels": 0, "features": FEATURES}
    parts = {"name": "mixed", "params": params, "labels": ("left", "right")}
    store.install(lambda staged: write_bundle(staged, onnx_bytes=mixed_onnx(), **parts))


@pytest.fixture
def pictures(place):
    """Return a folder of five pictures; the answers to them are known by hand."""
    save_pictures(place / "pictures")
    return place / "pictures"


@pytest.fixture
def score(store):
    """Return the command, which must exit with ``code``."""

    def run(command, code=0):
        done = CliRunner().invoke(main, ["score", *command.split()])
        assert done.exit_code == code, done.output
        assert "Traceback" not in done.output
        return done

    return run


@pytest.fixture
def facts():
    return facts_with()
