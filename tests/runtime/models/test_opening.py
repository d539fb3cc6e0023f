import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.folder import open_bundle
from bundle.staging import locked
from bundle.store import ModelStore
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError
from runtime.models.opening import model_of, open_model
from tests.examples import WEIGHTS, linear_onnx, write_bundle
from tests.runtime.fakes import FailingBackend, FakeBackend

BATCH = {"pixels": np.zeros((1, 2, 2, 1), np.float32)}


@pytest.fixture
def bundle(tmp_path):
    return open_bundle(write_bundle(tmp_path / "linear"))


@pytest.mark.parametrize(
    ("options", "falls_back"),
    [
        (BackendOptions(provider="cpu"), True),
        (BackendOptions(provider="cpu", onnx="require"), False),
    ],
)
def test_only_where_onnx_is_preferred_may_tensorflow_answer(
    tmp_path, monkeypatch, options, falls_back
):
    path = write_bundle(tmp_path / "linear")
    (path / "saved_model.pb").touch()
    (path / "variables").mkdir()
    (path / "variables" / "variables.index").touch()
    fallback = FakeBackend()
    model = model_of(
        open_bundle(path), None, options, open_tensorflow=lambda bundle: fallback
    )
    monkeypatch.setattr(model, "backend", FailingBackend())
    if falls_back:
        assert model.run(BATCH)[1] is fallback
    else:
        with pytest.raises(BackendError, match="it broke"):
            model.run(BATCH)


def test_a_bundle_of_onnx_alone_has_no_fallback(tmp_path, monkeypatch):
    model = model_of(
        open_bundle(write_bundle(tmp_path / "linear")),
        None,
        BackendOptions(provider="cpu"),
    )
    monkeypatch.setattr(model, "backend", FailingBackend())
    with pytest.raises(BackendError, match="it broke"):
        model.run(BATCH)


def test_a_version_is_not_read_while_its_files_are_replaced(tmp_path):
    """The exporter holds the folder between its two renames."""
    store = ModelStore(tmp_path / "models")
    version = store.install(lambda folder: write_bundle(folder) and None)
    opened = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with locked(version.path):
            future = pool.submit(open_model, version, BackendOptions(provider="cpu"))
            future.add_done_callback(lambda _: opened.set())
            (version.path / "parity.json").unlink()
            write_bundle(version.path, onnx_bytes=linear_onnx(WEIGHTS * 2))
            assert not opened.is_set()
        assert future.result(timeout=10).is_proved


def test_a_version_that_went_away_is_said_to_be_gone(tmp_path):
    store = ModelStore(tmp_path / "models")
    version = store.install(lambda folder: write_bundle(folder) and None)
    store.delete("linear")
    with pytest.raises(BundleError, match="not there any more"):
        open_model(version, BackendOptions(provider="cpu"))
