import gc
import weakref

import numpy as np
import pytest

from bundle.folder import open_bundle
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.models.model import Model
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend


def test_a_model_answers_the_same_with_and_without_batches(tmp_path):
    bundle = open_bundle(write_bundle(tmp_path / "linear"))
    pixels = np.random.default_rng(0).random((5, 2, 2, 1), np.float32)
    answers = []
    for batching in ("on", "off"):
        options = BackendOptions(batching=batching, threads=8)
        model = Model(
            bundle, 1, Opened(FakeBackend()), None, max_batch_size=4, options=options
        )
        outputs, _ = model.run({"pixels": pixels})
        answers.append(outputs["scores"])
        assert model.batching == f"{batching}: config.json says so"
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("batching", ["on", "off"])
def test_a_model_that_nobody_holds_is_gone_at_once(tmp_path, batching):
    """TensorFlow's process goes with it; Python collects circles only at some time."""
    write_bundle(tmp_path / "b")
    options = BackendOptions(batching=batching, threads=8)
    bundle = open_bundle(tmp_path / "b")
    model = Model(
        bundle, 1, Opened(FakeBackend()), None, max_batch_size=4, options=options
    )
    assert model.batching.startswith(batching)
    gone = weakref.ref(model)
    gc.disable()
    try:
        del model
        assert gone() is None
    finally:
        gc.enable()
