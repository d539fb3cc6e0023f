import numpy as np
import pytest

from bundle.errors import BundleError, ShapeError
from bundle.folder import open_bundle
from runtime.backends import Opened, TensorSpec
from runtime.errors import BackendError
from runtime.model import Model
from tests.examples import write_bundle
from tests.runtime.fakes import FailingBackend, FakeBackend

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


def test_labels_that_are_not_as_many_as_the_classes_are_refused(tmp_path):
    path = write_bundle(tmp_path / "linear", labels=("zero", "one"))
    with pytest.raises(BundleError, match=r"labels.txt names 2 classes .* has 3"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)


def test_the_output_that_params_names_is_the_answer(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"output_node": "scores"})
    other = TensorSpec("features", np.dtype(np.float32), (None, 64))
    backend = FakeBackend(outputs=(other, *FakeBackend().outputs))
    assert Model(open_bundle(path), 1, Opened(backend), None).output.name == "scores"


def test_an_image_becomes_a_batch_of_one(bundle):
    model = Model(bundle, 1, Opened(FakeBackend()), None)
    batch = model.to_input(np.full((2, 2, 1), 7, np.uint8))["pixels"]
    assert (batch.shape, batch.dtype) == ((1, 2, 2, 1), np.float32)
    assert (batch == 7).all()


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ((TensorSpec("row", np.dtype(np.float32), (None, 4)),), "takes no images"),
        (FakeBackend().inputs * 2, "several inputs"),
    ],
)
def test_a_model_of_no_images_says_so(bundle, inputs, sentence):
    model = Model(bundle, 1, Opened(FakeBackend(inputs=inputs)), None)
    with pytest.raises(ShapeError, match=sentence):
        model.to_input(np.zeros((2, 2, 1), np.uint8))
