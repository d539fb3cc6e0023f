import functools

import numpy as np
import pytest
from PIL import Image

from bundle.errors import ImageError, ModelNotFound, ShapeError, TooLarge
from bundle.folder import open_bundle
from bundle.preprocess import MAX_FREE_PIXELS
from bundle.spec import ModelSpec
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.errors import BackendError, Expired, InvalidInput
from runtime.models.model import Model
from runtime.prediction.images import QUICK_BYTES
from runtime.prediction.predictor import Predictor
from runtime.prediction.rows import read_rows
from runtime.telemetry.journey import Deadline, Journey
from tests.examples import write_bundle
from tests.forms import png
from tests.pictures import saved
from tests.runtime.fakes import PIXELS, FakeBackend
from tests.runtime.hubs import run_in_lane

FREE = TensorSpec("pixels", np.dtype(np.float32), (None, None, None, 1))
COLOUR = TensorSpec("pixels", np.dtype(np.float32), (None, 2, 2, 3))
FIXED = TensorSpec("pixels", np.dtype(np.float32), (4, 2, 2, 1))
A, B = png([[1, 2], [3, 4]]), png([[5, 6], [7, 8]])
SPEC = ModelSpec("linear")


class OneModel:
    """A registry of a single model, which keeps the requested specs."""

    def __init__(self, model):
        self.model = model
        self.asked = []

    def get(self, spec):
        self.asked.append(spec)
        if spec.name != "linear":
            raise ModelNotFound("there is none")
        return self.model


class KeepingShadow:
    """A shadow that keeps all that it is offered."""

    def __init__(self):
        self.offers = []

    def offer(self, name, model, inputs_for, outputs):
        self.offers.append((name, model, inputs_for, outputs))


@pytest.fixture
def model_of(tmp_path):
    def model_of(*inputs, fallback=None, backend=None, **params):
        path = write_bundle(
            tmp_path / str(len(list(tmp_path.iterdir()))), params=params
        )
        backend = backend or FakeBackend(inputs=inputs or (PIXELS,))
        model = Model(open_bundle(path), 3, Opened(backend), lambda: fallback)
        backend.batches.clear()
        return model

    return model_of


class FailingOnce(FakeBackend):
    """A backend that fails on the second batch; the first one is the model's check."""

    def run(self, inputs):
        outputs = super().run(inputs)
        if len(self.batches) == 1 and self.armed:
            raise BackendError("it broke")
        return outputs

    armed = False


def shapes(model):
    return [batch["pixels"].shape for batch in model.backend.batches]


def test_images_of_one_shape_are_one_batch(model_of):
    model = model_of()
    scores = Predictor(OneModel(model)).predict_images(SPEC, [A, B, A], Journey())
    assert shapes(model) == [(3, 2, 2, 1)]
    (batch,) = model.backend.batches
    assert batch["pixels"].ravel().tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4]
    assert scores.scores.tolist() == [[0, 0, 1]] * 3
    assert (scores.backend, scores.version) == ("fake/cpu", 3)
    assert scores.labels == ("zero", "one", "two")


def test_images_of_other_shapes_are_run_apart(model_of):
    model = model_of(FREE)
    wide = png([[1, 2, 3]])
    scores = Predictor(OneModel(model)).predict_images(SPEC, [A, B, wide, A], Journey())
    assert shapes(model) == [(2, 2, 2, 1), (1, 1, 3, 1), (1, 2, 2, 1)]
    assert len(scores.scores) == 4


def test_a_batch_has_no_more_pixels_than_one_large_image(model_of):
    model = model_of(FREE)
    third = png([[0] * 512] * (MAX_FREE_PIXELS // 512 // 3))
    Predictor(OneModel(model)).predict_images(SPEC, [third] * 4, Journey())
    assert [shape[0] for shape in shapes(model)] == [3, 1]


def test_a_fixed_batch_is_filled_up(model_of):
    model = model_of(FIXED)
    scores = Predictor(OneModel(model)).predict_images(SPEC, [A] * 5 + [B], Journey())
    assert shapes(model) == [(4, 2, 2, 1)] * 2
    assert model.backend.batches[1]["pixels"][:, 0, 0, 0].tolist() == [1, 5, 5, 5]
    assert len(scores.scores) == 6


def test_the_engine_that_stood_in_is_told(model_of):
    backend = FailingOnce(inputs=(FIXED,))
    model = model_of(
        backend=backend, fallback=FakeBackend(name="other", inputs=(FIXED,))
    )
    backend.armed = True
    journey = Journey()
    scores = Predictor(OneModel(model)).predict_images(SPEC, [A] * 5, journey)
    assert scores.backend == journey.backend == "other/cpu"
    scores = Predictor(OneModel(model)).predict_images(SPEC, [A], journey)
    assert scores.backend == journey.backend == "fake/cpu"


LARGE = saved(Image.new("1", (4096, 4096)))


def test_the_pixels_of_one_request_have_an_end(model_of):
    model = model_of()
    journey = Journey()
    with pytest.raises(TooLarge, match="83886080 pixels, more than 67108864 in all"):
        Predictor(OneModel(model)).predict_images(SPEC, [LARGE] * 5, journey)
    assert not model.backend.batches  # no run has begun


def test_of_many_images_a_bad_one_is_named_before_any_is_decoded(model_of):
    model = model_of()
    with pytest.raises(ImageError, match=r"Invalid image.*\(image 5 of 6\)"):
        Predictor(OneModel(model)).predict_images(
            SPEC, [A, A, A, A, b"hello", A], Journey()
        )
    assert not model.backend.batches


class LateBackend(FakeBackend):
    """A backend so slow that the deadline has passed when it answers."""

    journey = None

    def run(self, inputs):
        if self.journey:
            self.journey.deadline = Deadline(self.journey.started)
        return super().run(inputs)


def test_no_image_is_decoded_after_the_deadline(model_of):
    model = model_of(backend=LateBackend(inputs=(FREE,)))
    model.backend.journey = journey = Journey()
    # The pictures have three sizes, so each one is a run; nobody looks at the third
    # file.
    files = [A, png([[1, 2, 3]]), b"hello"]
    with pytest.raises(Expired):
        Predictor(OneModel(model)).predict_images(SPEC, files, journey)
    assert len(model.backend.batches) == 1


def test_a_large_file_is_not_looked_through_in_the_quick_lane(model_of):
    model = model_of()
    model.seconds = 0.0
    predictor = Predictor(OneModel(model))

    def ask(file):
        call = functools.partial(predictor.predict_images, SPEC, [file], Journey())
        scores, handed_over = run_in_lane(call)
        return scores.scores.tolist(), handed_over

    assert ask(A) == ([[0, 0, 1]], [])
    assert ask(A + bytes(QUICK_BYTES)) == ([[0, 0, 1]], ["linear"])


# -- the journey ----------------------------------------------------------------------


def test_the_journey_tells_all_of_an_answer(model_of):
    models = OneModel(model_of())
    journey = Journey(request_id="r")
    spec = ModelSpec("linear", label="canary")
    Predictor(models).predict_images(spec, [A, B], journey)
    assert models.asked == [spec]
    assert (journey.model, journey.version, journey.backend) == (
        "linear",
        3,
        "fake/cpu",
    )
    assert (journey.request_id, journey.items) == ("r", 2)
    assert {stage for stage, _, _ in journey.laps} == {"queue", "decode", "infer"}


def test_the_journey_of_rows_and_inputs_counts_them(model_of):
    predictor = Predictor(OneModel(model_of()))
    for values, items in ([1, 2, 3, 4], 1), ([[1, 2, 3, 4]] * 3, 3):
        journey = Journey()
        predictor.predict_rows(SPEC, read_rows(None, values), journey)
        assert journey.items == items
    journey = Journey()
    predictor.predict_inputs(SPEC, {"pixels": [[[[1], [2]], [[3], [4]]]] * 5}, journey)
    assert journey.items == 5
    assert {stage for stage, _, _ in journey.laps} == {"queue", "decode", "infer"}


def test_a_name_that_the_store_has_not_is_not_written_down():
    journey = Journey()
    with pytest.raises(ModelNotFound):
        Predictor(OneModel(None)).predict_images(ModelSpec("x"), [A], journey)
    assert (journey.model, journey.version, journey.backend) == ("", None, "")
    assert [stage for stage, _, _ in journey.laps] == ["queue"]


def test_a_model_that_was_found_is_written_down_though_the_image_is_none(model_of):
    journey = Journey()
    with pytest.raises(ImageError, match="Invalid image"):
        Predictor(OneModel(model_of())).predict_images(SPEC, [b"hello"], journey)
    assert (journey.model, journey.version, journey.items) == ("linear", 3, 1)


# -- the shadow -----------------------------------------------------------------------


def offered(model, ask):
    shadow = KeepingShadow()
    ask(Predictor(OneModel(model), shadow))
    return shadow.offers


def test_the_shadow_is_offered_the_images_as_it_would_take_them(model_of):
    model = model_of()
    ((name, answered, inputs_for, outputs),) = offered(
        model, lambda p: p.predict_images(SPEC, [A, B], Journey())
    )
    assert (name, answered) == ("linear", model)
    assert outputs.tolist() == [[0, 0, 1]] * 2
    (same,) = inputs_for(model).values()
    assert same.ravel().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    (colour,) = inputs_for(model_of(COLOUR, img_channels=3)).values()
    assert colour.shape == (2, 2, 2, 3)
    assert colour[0].ravel().tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    (fixed,) = inputs_for(model_of(FIXED)).values()
    assert fixed[:, 0, 0, 0].tolist() == [1, 5, 5, 5]


def test_each_run_of_images_is_offered_with_its_own(model_of):
    offers = offered(
        model_of(FREE),
        lambda p: p.predict_images(SPEC, [A, png([[1, 2, 3]]), B], Journey()),
    )
    inputs = [inputs_for(model_of())["pixels"] for _, _, inputs_for, _ in offers]
    assert [len(batch) for batch in inputs] == [1, 1, 1]
    assert inputs[2].ravel().tolist() == [5, 6, 7, 8]


def test_a_slow_model_decodes_and_runs_in_one_hand_over(model_of):
    model = model_of()
    model.seconds = 1.0
    predictor = Predictor(OneModel(model))
    call = functools.partial(predictor.predict_images, SPEC, [A, A], Journey())
    scores, handed_over = run_in_lane(call)
    assert scores.scores.tolist() == [[0, 0, 1]] * 2
    assert handed_over == ["linear"]


def test_what_leaves_the_quick_lane_on_the_way_is_offered_once(model_of):
    """The third picture is large, and the first was run already."""
    files = [A, png([[1, 2, 3]]), png(np.zeros((300, 300)))]
    shadow = KeepingShadow()
    model = model_of(FREE)
    model.seconds = 0.0
    predictor = Predictor(OneModel(model), shadow)
    call = functools.partial(predictor.predict_images, SPEC, files, Journey())
    assert run_in_lane(call)[1] == ["linear"]
    assert len(shadow.offers) == 3


def test_what_no_batch_of_another_model_can_be_is_told_to_it(model_of):
    ((_, _, inputs_for, _),) = offered(
        model_of(),
        lambda p: p.predict_images(SPEC, [A, png([[1, 2, 3]]), *[B] * 3], Journey()),
    )
    with pytest.raises(ShapeError, match="of different sizes"):
        inputs_for(model_of(FREE))
    with pytest.raises(ShapeError, match="takes 4 items, not 5"):
        inputs_for(model_of(FIXED))


def test_the_shadow_is_offered_rows_in_its_own_order_of_features(model_of):
    rows = read_rows(["a", "b", "c", "d"], [[1, 2, 3, 4], [5, 6, 7, 8]])
    ((_, _, inputs_for, _),) = offered(
        model_of(features=["a", "b", "c", "d"]),
        lambda p: p.predict_rows(SPEC, rows, Journey()),
    )
    (inputs,) = inputs_for(model_of(features=["d", "c", "b", "a"])).values()
    assert inputs.reshape(2, 4).tolist() == [[4, 3, 2, 1], [8, 7, 6, 5]]
    with pytest.raises(InvalidInput, match="no feature 'a'"):
        inputs_for(model_of(features=["w", "x", "y", "z"]))


def test_the_shadow_is_offered_inputs_with_the_main_output(model_of):
    pixels = [[[[1], [2]], [[3], [4]]]]
    ((_, _, inputs_for, outputs),) = offered(
        model_of(), lambda p: p.predict_inputs(SPEC, {"pixels": pixels}, Journey())
    )
    assert outputs.tolist() == [[0, 0, 1]]
    assert inputs_for(model_of())["pixels"].tolist() == pixels


def test_what_was_not_answered_is_not_offered(model_of):
    shadow = KeepingShadow()
    backend = FakeBackend(row=(0, 0, np.nan))
    predictor = Predictor(OneModel(model_of(backend=backend)), shadow)
    with pytest.raises(BackendError, match="NaN"):
        predictor.predict_images(SPEC, [A], Journey())
    with pytest.raises(ImageError, match="image 2 of 2"):
        predictor.predict_images(SPEC, [A, b"x"], Journey())
    assert shadow.offers == []
