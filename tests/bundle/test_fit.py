from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.errors import ShapeError
from bundle.fit import Fitting, lightened
from bundle.params import Fit, Preprocess
from bundle.preprocess import Preprocessing

F32 = np.dtype(np.float32)
HOW = Preprocess(polarity="auto", fit=Fit((20, 20)))
MODEL = Preprocessing(HOW, (28, 28, 1), F32)


def block(
    height: int, width: int, top: int, left: int, shape: tuple[int, int] = (28, 28)
) -> NDArray[np.uint8]:
    """Make a white block on black, ``(H, W, 1)``."""
    image = np.zeros((*shape, 1), np.uint8)
    image[top : top + height, left : left + width] = 255
    return image


def box_of(item: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Return the top, bottom, left and right of what is not black."""
    rows = np.flatnonzero(item.any(axis=(1, 2)))
    columns = np.flatnonzero(item.any(axis=(0, 2)))
    return rows[0], rows[-1], columns[0], columns[-1]


def bar(shape: tuple[int, int], top: int, left: int) -> NDArray[np.uint8]:
    """Make a white bar of 30 x 6 pixels on black."""
    return block(30, 6, top, left, shape)


def test_an_image_of_mnists_form_is_not_changed_at_all() -> None:
    image = block(20, 4, 4, 12)
    image[4:24, 12:16, 0] = np.arange(80).reshape(20, 4) % 40 + 200
    assert np.array_equal(MODEL(image), image.astype(np.float32))


def test_the_inverse_of_an_image_of_mnists_form_is_inverted_and_no_more() -> None:
    image = block(20, 4, 4, 12)
    assert np.array_equal(MODEL(255 - image), image.astype(np.float32))


def test_an_image_off_the_centre_comes_to_the_middle() -> None:
    item = MODEL(block(20, 3, 0, 0))
    # The middle of 20 pixels from 4 on is 13.5, and that of 3 pixels from 12.5 on is
    # 14 after rounding.
    assert box_of(item) in ((4, 23, 12, 14), (4, 23, 13, 15))


def test_the_longer_side_fills_the_box_and_the_ratio_stays() -> None:
    # A ring of 60 x 30 pixels, 6 thick, becomes 20 x 10.
    image = block(60, 30, 20, 50, (120, 140))
    image[26:74, 56:74] = 0
    top, bottom, left, right = box_of(MODEL(image))
    assert (bottom - top + 1, right - left + 1) == (20, 10)


@pytest.mark.parametrize("ground", [255, 180])
def test_dark_ink_on_a_light_ground_becomes_light_on_black(ground: int) -> None:
    image = np.full((90, 70, 1), ground, np.uint8)
    image[40:70, 10:16] = 20
    item = MODEL(image)
    assert box_of(item)[:2] == (4, 23)
    assert item.max() == 255
    assert item[0].max() == 0


def test_noise_and_uneven_light_do_not_reach_the_model() -> None:
    generator = np.random.default_rng(0)
    light = 180 + 40 * np.linspace(-1, 1, 90)[:, np.newaxis] * np.ones(80)
    light[50:80, 8:14] = 40
    noisy = np.clip(light + generator.normal(0, 10, light.shape), 0, 255)
    item = MODEL(noisy.astype(np.uint8)[:, :, np.newaxis])
    top, bottom, left, right = box_of(item)
    assert (top, bottom) == (4, 23)
    assert right - left + 1 <= 8


def test_specks_are_left_out() -> None:
    image = bar((90, 90), 50, 60)
    image[3, 3] = image[10, 80] = 255
    assert np.array_equal(MODEL(image), MODEL(bar((90, 90), 50, 60)))


def test_a_table_beside_the_paper_is_left_out() -> None:
    image = np.full((120, 100, 1), 200, np.uint8)
    image[50:80, 40:46] = 30
    alone = MODEL(image)
    image[:12] = 30
    with_table = MODEL(image)
    assert box_of(with_table) == box_of(alone)


def test_both_pieces_of_a_digit_stay() -> None:
    image = bar((90, 90), 20, 60)
    image[56:66, 60:66] = 255
    item = MODEL(image)
    top, bottom, _, _ = box_of(item)
    assert bottom - top + 1 == 20
    # 6 of the 46 rows are ground between the pieces: one or two of 20 rows.
    assert item[top:bottom].max(axis=(1, 2)).min() < 128


def test_thin_and_thick_strokes_come_nearer_to_mnists() -> None:
    def share(thick: int) -> float:
        ring = block(80, 80, 20, 20, (120, 120))
        ring[20 + thick : 100 - thick, 20 + thick : 100 - thick] = 0
        return float((MODEL(ring) > 127).sum())

    # A ring of 20 pixels with strokes of t pixels has 4 * t * (20 - t) pixels. 2 of 80
    # pixels would be half a pixel, and 28 pixels would be 7.
    assert 4 * 1.5 * 18.5 <= share(2) <= 4 * 3.5 * 16.5
    assert 4 * 2 * 18 <= share(28) <= 4 * 5 * 15


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((28, 28, 1), np.uint8),
        np.full((28, 28, 1), 255, np.uint8),
        np.full((300, 200, 1), 119, np.uint8),
        np.full((1, 1, 1), 200, np.uint8),
        np.zeros((1, 5000, 1), np.uint8),
    ],
    ids=["black", "white", "gray", "one pixel", "one row"],
)
def test_an_empty_picture_becomes_black(image: NDArray[np.uint8]) -> None:
    item = MODEL(image)
    assert item.shape == (28, 28, 1)
    assert not item.any()


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 2), (2, 1), (3, 3), (1, 4000), (4000, 2), (28, 28), (64, 50)]
)
def test_any_noise_gives_an_item_and_always_the_same(shape: tuple[int, int]) -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        image = generator.integers(0, 256, (*shape, 1), np.uint8)
        item = MODEL(image)
        assert item.shape == (28, 28, 1)
        assert 0 <= item.min() <= item.max() <= 255
        assert np.array_equal(item, MODEL(image.copy()))


def test_black_and_white_noise_gives_an_item() -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        image = generator.integers(0, 2, (40, 40, 1), np.uint8) * np.uint8(255)
        assert MODEL(image).shape == (28, 28, 1)


def test_a_picture_of_forty_megapixels_is_read_where_its_ink_is() -> None:
    image = np.full((5000, 8000, 1), 220, np.uint8)
    image[4000:4300, 7000:7060] = 30
    top, bottom, left, right = box_of(MODEL(image))
    # 300 x 60 pixels become 20 x 4; strokes thicker than 3.2 are made thinner.
    assert bottom - top + 1 == 20
    assert 3 <= right - left + 1 <= 4


def test_polarity_alone_inverts_and_keeps_the_rest() -> None:
    how = Preprocessing(Preprocess(polarity="auto"), (None, None, 1), F32)
    image = 255 - bar((90, 70), 40, 10)
    assert np.array_equal(how(image), (255 - image).astype(np.float32))
    assert np.array_equal(how(255 - image), (255 - image).astype(np.float32))


def test_invert_comes_before_fit() -> None:
    how = Preprocessing(Preprocess(invert=True, fit=Fit((20, 20))), (28, 28, 1), F32)
    image = 255 - bar((90, 70), 40, 10)
    assert list(how.explain(image)[0]) == ["invert", "fit", "size"]
    assert np.array_equal(how(image), MODEL(image))


def test_the_centre_of_the_box_can_come_to_the_middle() -> None:
    # The mass of this wedge lies in its upper part.
    image = np.zeros((60, 60, 1), np.uint8)
    for row in range(40):
        image[10 + row, 10 : 50 - row] = 255
    by_box = Preprocessing(Preprocess(fit=Fit((20, 20), "box")), (28, 28, 1), F32)
    top, bottom, left, right = box_of(by_box(image))
    assert abs(top - (27 - bottom)) <= 1
    assert abs(left - (27 - right)) <= 1
    assert box_of(MODEL(image))[0] > top


def test_scale_and_offset_follow() -> None:
    how = Preprocess(polarity="auto", fit=Fit((20, 20)), scale=1 / 255, offset=-0.5)
    item = Preprocessing(how, (28, 28, 1), F32)(bar((90, 70), 40, 10))
    assert (item.min(), item.max()) == pytest.approx((-0.5, 0.5))


def test_explain_gives_each_step_and_the_same_item() -> None:
    image = 255 - bar((90, 70), 40, 10)
    pictures, item = MODEL.explain(image)
    assert list(pictures) == ["polarity", "fit", "size"]
    assert np.array_equal(pictures["polarity"], 255 - image)
    assert pictures["fit"].shape == (28, 28, 1)
    assert np.array_equal(item, MODEL(image))


@pytest.mark.parametrize(
    ("how", "shape", "words"),
    [
        (HOW, (28, 28, 3), "the model takes 3 channels"),
        (Preprocess(polarity="auto"), (None, None, 3), "the model takes 3 channels"),
        (HOW, (None, 28, 1), "'preprocess.fit' needs 'preprocess.size'"),
        (HOW, (28, 19, 1), "'preprocess.fit.box' is 20 x 20"),
    ],
)
def test_a_model_that_cannot_have_the_steps_says_so(
    how: Preprocess, shape: tuple[int | None, int | None, int | None], words: str
) -> None:
    steps = Preprocessing(how, shape, F32)
    with pytest.raises(ShapeError, match=words):
        steps(np.zeros((28, 28, shape[2] or 1), np.uint8))


def test_a_picture_in_colour_is_refused() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    fitting = Fitting(Fit((20, 20)), (28, 28))
    for step in (lightened, fitting.fitted, fitting.lightened):
        with pytest.raises(ShapeError, match="the image has 3 channels"):
            step(image)
