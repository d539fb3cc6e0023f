import numpy as np
import pytest
from prometheus_client import REGISTRY

from bundle.errors import ShapeError
from bundle.folder import open_bundle
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError
from runtime.models.model import Model
from runtime.models.opening import model_of
from runtime.models.warming import to_input
from tests.examples import write_bundle
from tests.frozen import ANSWER, frozen, pixels, write_frozen_bundle
from tests.runtime.fakes import FailingBackend, FakeBackend
from tests.runtime.models.counting import Counting, counted

BATCH = {"pixels": np.zeros((1, 2, 2, 1), np.float32)}


@pytest.fixture
def bundle(tmp_path):
    return open_bundle(write_bundle(tmp_path / "linear"))


def test_the_preferred_backend_answers(bundle):
    backend = FakeBackend()
    model = Model(bundle, 1, Opened(backend), lambda: pytest.fail("not needed"))
    outputs, answered = model.run(BATCH)
    assert outputs["scores"].tolist() == [[0, 0, 1]]
    assert answered is backend


def frozen_bundle(path, **params):
    """Return a bundle that claims a frozen graph; the fake stands in for the engine."""
    return open_bundle(write_frozen_bundle(path, b"graph", **params))


def test_a_frozen_graph_answers_labels_as_tfaas_does(bundle, tmp_path):
    model = Model(frozen_bundle(tmp_path), 1, Opened(FakeBackend()), None)
    assert model.answers_labels
    assert not Model(bundle, 1, Opened(FakeBackend()), None).answers_labels


@pytest.mark.tensorflow
def test_a_frozen_graph_answers_an_image(tmp_path):
    """Its params.json has no key for images, and its node has a port."""
    path = write_frozen_bundle(tmp_path, frozen(pixels), outputNode="scores:0")
    model = model_of(open_bundle(path), 1, BackendOptions())
    image = np.array([1, 2, 3, 4], np.uint8).reshape(2, 2, 1)
    outputs, backend = model.run(to_input(model, image))
    assert outputs[model.output.name].tolist() == ANSWER
    assert (backend.name, model.img_channels) == ("tensorflow", 1)


def value_of(metric, **labels):
    return REGISTRY.get_sample_value(metric, labels) or 0


def test_the_size_of_each_run_is_counted_and_no_warm_up(tmp_path):
    path = write_bundle(tmp_path / "linear")
    images = np.zeros((6, 2, 2, 1), np.uint8)
    np.savez(path / "sample.npz", images=images, labels=[0, 1, 2, 0, 1, 2])
    of = {"model": "sized"}
    model = Model(
        open_bundle(path), 7, Opened(Counting()), None, name="sized", max_batch_size=4
    )
    assert value_of("tfaas_batch_size_count", **of) == 0
    model.run(counted(9))
    assert value_of("tfaas_batch_size_count", **of) == 3
    assert value_of("tfaas_batch_size_sum", **of) == 9
    assert value_of("tfaas_batch_size_bucket", le="1.0", **of) == 1
    with pytest.raises(ShapeError):
        model.run(counted(9, "x"))
    assert value_of("tfaas_batch_size_count", **of) == 3


def test_a_model_on_trial_counts_nothing(bundle):
    model = Model(bundle, None, Opened(FailingBackend()), FakeBackend, name="on-trial")
    model.run(BATCH)
    assert not any(
        sample.labels.get("model") == "on-trial"
        for metric in REGISTRY.collect()
        for sample in metric.samples
    )


# -- TensorFlow in the place of ONNX ---------------------------------------------------


def test_a_model_that_gives_way_is_answered_by_tensorflow(bundle):
    onnx = FakeBackend(name="onnxruntime")
    tensorflow = FakeBackend((1, 0, 0), name="tensorflow")
    model = Model(bundle, 1, Opened(onnx), lambda: tensorflow, options=BackendOptions())
    model.give_way("live parity: it differs")
    outputs, answered = model.run(BATCH)
    assert answered is tensorflow
    assert outputs["scores"].tolist() == [[1, 0, 0]]
    assert model.engine == "tensorflow/cpu"
    assert (model.fallback_code, model.fallback_reason) == (
        *("live_parity", "live parity: it differs"),
    )
    assert (model.variant, model.is_proved, model.plan) == (None, None, None)
    assert not model.is_quick(1)


def test_a_model_that_gave_way_has_no_other_engine(bundle):
    broken = FailingBackend(name="tensorflow")
    model = Model(bundle, 1, Opened(FakeBackend()), lambda: broken)
    model.give_way("why")
    with pytest.raises(BackendError, match="^it broke$"):
        model.run(BATCH)
    assert len(broken.batches) == 1


def test_a_model_without_tensorflow_cannot_give_way(bundle):
    onnx = FakeBackend()
    model = Model(bundle, 1, Opened(onnx), None)
    with pytest.raises(BackendError, match="no TensorFlow model"):
        model.give_way("why")
    assert model.backend is onnx
    assert model.fallback_reason == ""


def test_requests_that_wait_for_a_batch_get_the_engine_that_they_asked(bundle):
    onnx = FakeBackend(name="onnxruntime")
    tensorflow = FakeBackend((1, 0, 0), name="tensorflow")
    options = BackendOptions(batching="on")
    model = Model(
        bundle, 1, Opened(onnx), lambda: tensorflow, max_batch_size=4, options=options
    )
    batcher = model._batcher
    assert batcher is not None
    model.give_way("why")
    assert batcher.submit(BATCH, None)["scores"].tolist() == [[0, 0, 1]]
    assert model.run(BATCH)[0]["scores"].tolist() == [[1, 0, 0]]
