import itertools

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.folder import open_bundle
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.errors import BackendError
from runtime.models.model import Model
from runtime.models.warming import to_input
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend
from tests.runtime.models.counting import Counting, asked, counted


@pytest.fixture
def bundle(tmp_path):
    return open_bundle(write_bundle(tmp_path / "linear"))


def test_an_image_becomes_a_batch_of_one(bundle):
    model = Model(bundle, 1, Opened(FakeBackend()), None)
    batch = to_input(model, np.full((2, 2, 1), 7, np.uint8))["pixels"]
    assert (batch.shape, batch.dtype) == ((1, 2, 2, 1), np.float32)
    assert (batch == 7).all()


def test_of_a_fixed_batch_the_image_fills_all_of_it(bundle):
    spec = TensorSpec("pixels", np.dtype(np.float32), (4, 2, 2, 1))
    model = Model(bundle, 1, Opened(FakeBackend(inputs=(spec,))), None)
    batch = to_input(model, np.full((2, 2, 1), 7, np.uint8))["pixels"]
    assert batch.shape == (4, 2, 2, 1)


def test_a_model_is_warmed_and_tried_on_its_own_sample(tmp_path):
    """The fake always answers class 2, and every third image is of class 2."""
    path = write_bundle(tmp_path / "linear")
    images = np.zeros((6, 2, 2, 1), np.uint8)
    np.savez(path / "sample.npz", images=images, labels=[0, 1, 2, 0, 1, 2])
    backend = FakeBackend()
    model = Model(open_bundle(path), 1, Opened(backend), None)
    assert (model.tried.images, model.tried.right) == (6, 2)
    # One batch is a black picture, on which every model that takes images is tried.
    assert len(backend.batches) == 7


def test_a_sample_of_another_model_is_refused(tmp_path):
    path = write_bundle(tmp_path / "linear")
    images = np.zeros((6, 2, 2, 3), np.uint8)
    np.savez(path / "sample.npz", images=images, labels=[0, 1, 2, 0, 1, 2])
    with pytest.raises(BundleError, match="sample.npz does not fit this model"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)


def test_one_score_is_right_by_its_half(tmp_path):
    """The fake always answers 0.7, which is class 1: so are three of four images."""
    path = write_bundle(tmp_path / "linear", labels=("no", "yes"))
    images = np.zeros((4, 2, 2, 1), np.uint8)
    np.savez(path / "sample.npz", images=images, labels=[0, 1, 1, 1])
    sigmoid = TensorSpec("scores", np.dtype(np.float32), (None, 1))
    backend = FakeBackend(row=(0.7,), outputs=(sigmoid,))
    assert Model(open_bundle(path), 1, Opened(backend), None).tried.right == 3


class WithoutBatch(FakeBackend):
    """A backend that answers three scores for any batch."""

    def run(self, inputs):
        return {"scores": np.array([0, 0, 1], np.float32)}


@pytest.mark.parametrize("with_sample", [False, True])
def test_an_answer_without_a_number_is_refused(tmp_path, with_sample):
    path = write_bundle(tmp_path / "linear", params={"labels": ""})
    if with_sample:
        images = np.zeros((2, 2, 2, 1), np.uint8)
        np.savez(path / "sample.npz", images=images, labels=[0, 1])
    classes = TensorSpec("scores", np.dtype(np.float32), (None, None))
    backend = FakeBackend(row=(), outputs=(classes,))
    with pytest.raises(BundleError, match="'scores' is empty"):
        Model(open_bundle(path), 1, Opened(backend), None)


class OfWhite(FakeBackend):
    """A backend that gives no scores unless all pictures are black."""

    def run(self, inputs):
        (batch,) = inputs.values()
        return {"scores": np.zeros((0 if batch.any() else len(batch), 3), "f4")}


def test_a_sample_that_is_answered_with_nothing_is_refused(tmp_path):
    path = write_bundle(tmp_path / "linear")
    white = np.full((1, 2, 2, 1), 255, np.uint8)
    np.savez(path / "sample.npz", images=white, labels=[0])
    with pytest.raises(BundleError, match=r"sample\.npz is empty"):
        Model(open_bundle(path), 1, Opened(OfWhite()), None)


def test_an_output_without_a_batch_axis_is_refused(bundle):
    """Its first score would be taken for the whole answer."""
    backend = WithoutBatch(outputs=(TensorSpec("scores", np.dtype("f4"), (3,)),))
    with pytest.raises(BundleError, match="'scores' has no batch axis"):
        Model(bundle, 1, Opened(backend), None)


def test_a_size_that_is_not_the_models_is_refused_before_it_serves(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"preprocess": {"size": [5, 5]}})
    with pytest.raises(BundleError, match="no image can be answered: .*5 x 5"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)


@pytest.mark.parametrize("limit", [1, 2, 32])
def test_a_model_is_warmed_with_one_item_and_with_a_full_batch(bundle, limit):
    backend = Counting()
    Model(bundle, 1, Opened(backend), None, max_batch_size=limit)
    # The first run is a black picture, on which every model that takes images is tried.
    assert backend.sizes == [1, 1] + [limit] * (limit > 1)


def test_the_full_batch_is_cut_to_what_memory_bears(bundle):
    """An item has 4 numbers."""
    backend = Counting()
    Model(bundle, 1, Opened(backend), None, max_batch_size=32, max_numbers=11)
    assert backend.sizes == [1, 1, 2]


def test_the_full_batch_is_cut_to_some_seconds(bundle):
    """An item takes 2 seconds, and the limit is 5."""
    ticks = itertools.count(0, 2)
    backend = Counting()
    model = Model(
        bundle,
        1,
        Opened(backend),
        None,
        max_batch_size=32,
        clock=lambda: float(next(ticks)),
    )
    assert backend.sizes == [1, 1, 2]
    assert asked(model, 9)[0] == [9], "and it is run with what it was asked for"


def test_a_fixed_batch_is_run_at_its_own_size(tmp_path):
    path = write_bundle(tmp_path / "linear")
    pixels = TensorSpec("pixels", np.dtype(np.float32), (4, 2, 2, 1))
    backend = Counting(inputs=(pixels,))
    model = Model(open_bundle(path), 1, Opened(backend), None, max_batch_size=2)
    assert set(backend.sizes) == {4}
    assert asked(model, 4) == ([4], [0, 1, 2, 3])


def test_a_model_that_takes_only_one_item_is_run_with_one_at_a_time(bundle, caplog):
    """tf2onnx makes such a model of a Reshape to (1, 4), but declares a free batch."""

    class Single(Counting):
        def run(self, inputs):
            if len(inputs["pixels"]) > 1:
                raise BackendError("ONNX Runtime failed on this input")
            return super().run(inputs)

    model = Model(bundle, 1, Opened(Single()), None, max_batch_size=8)
    assert "linear does not take 8 items at once" in caplog.text
    assert asked(model, 3) == ([1, 1, 1], [0, 1, 2])


def test_a_model_whose_rows_are_no_items_is_never_cut(tmp_path):
    class Boxes(FakeBackend):
        def run(self, inputs):
            self.batches.append(inputs)
            return {"scores": np.zeros((7, 3), np.float32)}

    path = write_bundle(tmp_path / "linear", params={"img_channels": 0})
    backend = Boxes()
    model = Model(open_bundle(path), 1, Opened(backend), None, max_batch_size=2)
    backend.batches.clear()
    assert model.run(counted(5))[0]["scores"].shape == (7, 3)
    assert len(backend.batches) == 1


def test_a_model_of_free_sizes_that_does_not_take_the_one_tried_is_taken(tmp_path):
    class Large(Counting):
        def run(self, inputs):
            if inputs["pixels"].shape[1] < 64:
                raise BackendError("too small")
            return super().run(inputs)

    path = write_bundle(tmp_path / "linear")
    pixels = TensorSpec("pixels", np.dtype(np.float32), (None, None, None, 1))
    model = Model(
        open_bundle(path), 1, Opened(Large(inputs=(pixels,))), None, max_batch_size=2
    )
    model.run({"pixels": np.zeros((5, 64, 64, 1), np.float32)})
    assert model.backend.sizes == [2, 2, 1]
