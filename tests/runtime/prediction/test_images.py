"""Image files become the batches of a model."""

import numpy as np
import pytest

from bundle.errors import ImageError, ShapeError, TooLarge
from bundle.folder import open_bundle
from bundle.preprocess import MAX_FREE_PIXELS
from runtime.backends import TensorSpec
from runtime.backends.opening import Opened
from runtime.errors import BackendError, Expired, InvalidInput
from runtime.models.model import Model
from runtime.prediction.images import QUICK_BYTES, batches, inputs_of_files, run_images
from runtime.telemetry.journey import Deadline, Journey
from tests.examples import write_bundle
from tests.forms import png
from tests.runtime.fakes import PIXELS, FailingBackend, FakeBackend
from tests.runtime.hubs import run_in_lane

FLOAT = np.dtype(np.float32)
FREE = TensorSpec("pixels", FLOAT, (None, None, None, 1))
FOUR = TensorSpec("pixels", FLOAT, (4, 2, 2, 1))
A, B = png([[1, 2], [3, 4]]), png([[5, 6], [7, 8]])
WIDE = png([[1, 2, 3]])
BROKEN = b"\x89PNG\r\n\x1a\nno chunk"


@pytest.fixture
def opened(tmp_path):
    def opened(spec=PIXELS, kind=FakeBackend):
        bundle = open_bundle(write_bundle(tmp_path / "linear"))
        return Model(bundle, 1, Opened(kind(inputs=(spec,))), None)

    return opened


def pixels_of(batch):
    return batch[..., 0].tolist()


def test_pictures_of_one_shape_are_one_batch(opened):
    (batch,) = batches(opened(), [A, B], Journey())
    assert (batch.shape, batch.dtype) == ((2, 2, 2, 1), np.float32)
    assert pixels_of(batch) == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_neighbours_of_one_shape_are_joined_and_the_order_stays(opened):
    found = [*batches(opened(FREE), [A, B, WIDE, A], Journey())]
    assert [len(batch) for batch in found] == [2, 1, 1]
    assert pixels_of(found[1]) == [[[1, 2, 3]]]
    assert pixels_of(found[2]) == [[[1, 2], [3, 4]]]


def test_a_batch_of_large_pictures_has_an_end(opened):
    """Three of the pictures would have more pixels than one batch may have."""
    side = int((MAX_FREE_PIXELS / 2) ** 0.5)
    large = png([[0] * side] * side)
    found = batches(opened(FREE), [large] * 3, Journey())
    assert [len(batch) for batch in found] == [2, 1]


def test_a_picture_is_decoded_when_the_one_before_was_run(opened):
    found = batches(opened(FREE), [A, WIDE, BROKEN], Journey())
    assert pixels_of(next(found)) == [[[1, 2], [3, 4]]]
    with pytest.raises(ImageError):
        next(found)


def test_each_picture_is_a_decode_stage(opened):
    journey = Journey()
    [*batches(opened(), [A, B], journey)]
    assert [stage for stage, _, _ in journey.laps] == ["decode", "decode"]


def test_a_picture_that_cannot_be_decoded_is_a_stage_too(opened):
    journey = Journey()
    with pytest.raises(ImageError):
        [*batches(opened(), [BROKEN], journey)]
    assert [stage for stage, _, _ in journey.laps] == ["decode"]


def test_a_file_that_is_no_image_is_told_by_its_number(opened):
    with pytest.raises(ImageError, match=r"\(image 2 of 2\)$"):
        [*batches(opened(), [A, BROKEN], Journey())]
    with pytest.raises(ImageError) as alone:
        [*batches(opened(), [BROKEN], Journey())]
    assert "image 1" not in str(alone.value)


def test_many_pictures_are_counted_before_any_is_decoded(opened):
    four = [A] * 4
    assert len(next(batches(opened(), four, Journey(), 19))) == 4
    with pytest.raises(TooLarge, match="have 20 pixels, more than 19 in all"):
        next(batches(opened(), [*four, A], Journey(), 19))
    assert len(next(batches(opened(), [*four, A], Journey(), 20))) == 5
    with pytest.raises(ImageError, match=r"\(image 5 of 5\)$"):
        next(batches(opened(), [*four, BROKEN], Journey()))


def test_no_picture_is_decoded_for_a_client_that_left(opened):
    journey = Journey(deadline=Deadline())
    found = batches(opened(FREE), [A, WIDE, BROKEN], journey)
    next(found)
    journey.deadline.is_gone = True
    with pytest.raises(Expired, match="client has left"):
        next(found)


def test_a_small_file_of_many_pixels_leaves_the_quick_lane(opened):
    model = opened()
    large = png([[0] * 256] * 257)
    assert len(large) < QUICK_BYTES
    for pixels, handed_over in ((large, ["linear"]), (png([[0] * 256] * 256), [])):
        found = run_in_lane(
            lambda pixels=pixels: [*batches(model, [pixels], Journey())]
        )
        assert found[1] == handed_over


def test_files_are_one_run_of_another_model(opened):
    (batch,) = inputs_of_files(opened(FOUR), [A, B]).values()
    assert pixels_of(batch[1:]) == [[[5, 6], [7, 8]]] * 3, "filled up with the last"


def test_pictures_of_several_sizes_are_no_one_run(opened):
    with pytest.raises(ShapeError, match="of different sizes"):
        inputs_of_files(opened(FREE), [A, WIDE])


def test_a_picture_that_is_too_small_for_a_network_is_the_clients(opened):
    model = opened(FREE, FailingBackend)
    small = np.zeros((1, 2, 3, 1), np.float32)
    with pytest.raises(InvalidInput, match="image of 2 x 3 pixels; send a larger one"):
        run_images(model, small, Journey())


@pytest.mark.parametrize(("spec", "side"), [(FREE, 512), (PIXELS, 2)])
def test_a_network_that_fails_on_what_it_should_take_is_the_servers(opened, spec, side):
    batch = np.zeros((1, side, side, 1), np.float32)
    with pytest.raises(BackendError, match="it broke"):
        run_images(opened(spec, FailingBackend), batch, Journey())


def test_images_are_answered_with_a_row_each(opened):
    model = opened()
    joined = np.concatenate([*batches(model, [A, B], Journey())])
    assert run_images(model, joined, Journey()).tolist() == [[0, 0, 1]] * 2
    asked = model.backend.batches[-1]["pixels"]
    assert pixels_of(asked) == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
