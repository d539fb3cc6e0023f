import numpy as np
import pytest
from prometheus_client import REGISTRY

from bundle.folder import open_bundle
from runtime.backends import InputRefused, TensorSpec
from runtime.backends.opening import Opened
from runtime.errors import BackendError
from runtime.models.fallback import RETRY_SECONDS
from runtime.models.model import Model
from tests.examples import write_bundle
from tests.runtime.fakes import FailingBackend, FakeBackend
from tests.runtime.models.counting import Counting, counted

BATCH = {"pixels": np.zeros((1, 2, 2, 1), np.float32)}


@pytest.fixture
def bundle(tmp_path):
    return open_bundle(write_bundle(tmp_path / "linear"))


def test_the_very_request_that_fails_is_answered_by_the_fallback(bundle):
    fallback = FakeBackend(row=(1, 0, 0))
    model = Model(bundle, 1, Opened(FailingBackend()), lambda: fallback)
    outputs, answered = model.run(BATCH)
    assert outputs["scores"].tolist() == [[1, 0, 0]]
    assert answered is fallback


def test_the_fallback_is_opened_once(bundle):
    opened = []
    model = Model(
        bundle,
        1,
        Opened(FailingBackend()),
        lambda: opened.append(FakeBackend()) or opened[-1],
    )
    model.run(BATCH)
    model.run(BATCH)
    assert len(opened) == 1
    assert len(opened[0].batches) == 2


def test_without_a_fallback_the_failure_is_the_answer(bundle):
    model = Model(bundle, 1, Opened(FailingBackend()), None)
    with pytest.raises(BackendError, match="it broke"):
        model.run(BATCH)


def test_a_fallback_of_other_tensors_is_none(bundle):
    """The error of model.onnx counts, because the client gave the right names."""
    other = FakeBackend(inputs=(TensorSpec("x", np.dtype(np.float32), (None, 4)),))
    model = Model(bundle, 1, Opened(FailingBackend()), lambda: other)
    with pytest.raises(BackendError, match="it broke"):
        model.run(BATCH)
    assert not other.batches


def test_a_fallback_that_cannot_be_opened_is_tried_again_after_a_while(bundle):
    """Memory may have been short only for a moment."""
    now, tries = [1000.0], []
    fallback = FakeBackend()

    def open_second():
        tries.append(now[0])
        if len(tries) == 1:
            raise BackendError("no memory")
        return fallback

    model = Model(
        bundle, 1, Opened(FailingBackend()), open_second, clock=lambda: now[0]
    )
    for now[0] in (1000.0, 1000.1, 1000 + RETRY_SECONDS - 0.1):
        with pytest.raises(BackendError, match="it broke"):
            model.run(BATCH)
    assert tries == [1000.0]
    now[0] = 1000 + RETRY_SECONDS
    assert model.run(BATCH)[1] is fallback
    assert model.run(BATCH)[1] is fallback
    assert tries == [1000.0, 1000 + RETRY_SECONDS]


def test_when_the_fallback_fails_too_both_are_named(bundle):
    model = Model(bundle, 1, Opened(FailingBackend()), FailingBackend)
    with pytest.raises(BackendError, match="it broke; it broke"):
        model.run(BATCH)


def test_an_input_that_both_engines_refuse_is_no_fault_of_theirs(bundle):
    class Refusing(FakeBackend):
        def run(self, inputs):
            if inputs is not BATCH:
                return super().run(inputs)  # it is warmed up
            raise InputRefused("no such index")

    model = Model(bundle, 1, Opened(Refusing()), Refusing)
    with pytest.raises(InputRefused, match=r"^no such index$"):
        model.run(BATCH)


def test_when_a_piece_fails_one_engine_answers_the_whole_request(bundle):
    class FailingOnThird(Counting):
        def run(self, inputs):
            if 8 in inputs["pixels"]:
                raise BackendError("it broke")
            return super().run(inputs)

    fallback = Counting()
    model = Model(
        bundle, 1, Opened(FailingOnThird()), lambda: fallback, max_batch_size=4
    )
    outputs, answered = model.run(counted(9))
    assert outputs["scores"][:, 0].tolist() == list(range(9))
    assert answered is fallback
    assert fallback.sizes == [4, 4, 1]


def value_of(metric, **labels):
    return REGISTRY.get_sample_value(metric, labels) or 0


def test_a_request_that_fell_back_is_counted(bundle):
    of = {"model": "fell", "version": "1", "reason": "request"}
    model = Model(bundle, 1, Opened(FailingBackend()), FakeBackend, name="fell")
    assert value_of("tfaas_fallbacks_total", **of) == 0
    model.run(BATCH)
    assert value_of("tfaas_fallbacks_total", **of) == 1
