import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.folder import open_bundle
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.models.model import Model
from tests.examples import write_bundle
from tests.frozen import write_frozen_bundle
from tests.runtime.fakes import FakeBackend


@pytest.fixture
def bundle(tmp_path):
    return open_bundle(write_bundle(tmp_path / "linear"))


def test_labels_that_are_not_as_many_as_the_classes_are_refused(tmp_path):
    path = write_bundle(tmp_path / "linear", labels=("zero", "one"))
    with pytest.raises(BundleError, match=r"labels.txt names 2 classes .* has 3"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)


def test_one_score_tells_between_two_labels(tmp_path):
    path = write_bundle(tmp_path / "linear", labels=("no", "yes"))
    sigmoid = TensorSpec("scores", np.dtype(np.float32), (None, 1))
    Model(open_bundle(path), 1, Opened(FakeBackend(outputs=(sigmoid,))), None)


def test_the_output_that_params_names_is_the_answer(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"output_node": "scores"})
    other = TensorSpec("features", np.dtype(np.float32), (None, 64))
    backend = FakeBackend(outputs=(other, *FakeBackend().outputs))
    assert Model(open_bundle(path), 1, Opened(backend), None).output.name == "scores"


def test_of_several_outputs_a_wrong_name_is_refused(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"output_node": "score"})
    other = TensorSpec("features", np.dtype(np.float32), (None, 3))
    backend = FakeBackend(outputs=(other, *FakeBackend().outputs))
    with pytest.raises(
        BundleError, match="'score' and .* outputs are features, scores"
    ):
        Model(open_bundle(path), 1, Opened(backend), None)


def spec(*shape, dtype=np.float32):
    return TensorSpec("x", np.dtype(dtype), shape)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"inputs": (spec(None, 4),)}, "the input has 2 axes"),
        ({"inputs": (spec(None, 2, 2, 1), spec(None, 1))}, "the model has 2 inputs"),
        ({"inputs": (spec(None, 2, 2, 3),)}, "the model takes 3 channels"),
        ({"inputs": (spec(None, 3, None, None),)}, "takes any number of channels"),
        ({"inputs": (spec(None, 2, 2, 1, dtype=object),)}, "the input is object"),
        ({"outputs": (spec(None, 3, dtype=object),)}, "the output is object"),
        ({"outputs": (spec(),)}, "one number for a whole batch"),
    ],
)
def test_a_model_that_no_image_can_be_answered_by_is_refused(bundle, tensors, sentence):
    with pytest.raises(BundleError, match=sentence):
        Model(bundle, 1, Opened(FakeBackend(**tensors)), None)


def frozen_bundle(path, **params):
    """Return a bundle that claims a frozen graph; the fake stands in for the engine."""
    return open_bundle(write_frozen_bundle(path, b"graph", **params))


@pytest.mark.parametrize(
    ("takes", "channels"),
    [
        (spec(None, 2, 2, 1), 1),
        (spec(1, None, None, 3), 3),
        (spec(None, 2, 2, 2), 0),
        (spec(None, 2, 2, None), 0),
        (spec(None, 4), 0),
        (spec(None, 2, 2, 3, dtype=object), 0),
    ],
)
def test_early_params_are_silent_of_images_and_the_graph_tells(
    tmp_path, takes, channels
):
    model = Model(
        frozen_bundle(tmp_path), 1, Opened(FakeBackend(inputs=(takes,))), None
    )
    assert model.img_channels == channels


def test_params_that_say_no_images_are_believed(tmp_path):
    bundle = frozen_bundle(tmp_path, img_channels=0)
    assert Model(bundle, 1, Opened(FakeBackend()), None).img_channels == 0


def test_of_no_frozen_graph_params_alone_say_whether_it_takes_images(tmp_path):
    path = write_bundle(tmp_path / "linear", params={"img_channels": 0})
    model = Model(open_bundle(path), 1, Opened(FakeBackend()), None)
    assert model.img_channels == 0


def test_a_frozen_graph_may_have_fewer_labels_than_classes(tmp_path):
    path = write_frozen_bundle(tmp_path / "fewer", b"graph")
    (path / "labels.txt").write_text("zero\none\n")
    model = Model(open_bundle(path), 1, Opened(FakeBackend()), None)
    assert model.bundle.labels == ("zero", "one")
    (path / "labels.txt").write_text("zero\none\ntwo\nthree\n")
    with pytest.raises(BundleError, match=r"labels.txt names 4 classes .* has 3"):
        Model(open_bundle(path), 1, Opened(FakeBackend()), None)
