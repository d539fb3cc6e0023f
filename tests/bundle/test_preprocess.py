from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bundle.errors import ShapeError
from bundle.params import Preprocess
from bundle.preprocess import Preprocessing, preprocess

U8, F32 = np.dtype(np.uint8), np.dtype(np.float32)
FREE = (None, None, None)


def image(rows: list[list[Any]], channels: int = 1) -> np.ndarray[Any, Any]:
    array = np.array(rows, dtype=np.uint8)  # The shape is (H, W) or (H, W, C).
    return array.reshape(*array.shape[:2], channels)


def test_default_only_casts_as_tfaas_does() -> None:
    got = preprocess(image([[0, 127, 255]]), Preprocess(), (1, 3, 1), F32)
    assert got.dtype == np.float32
    assert got.tolist() == [[[0.0], [127.0], [255.0]]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int64"])
def test_result_has_the_models_dtype(dtype: str) -> None:
    got = preprocess(image([[3, 250]]), Preprocess(), FREE, np.dtype(dtype))
    assert got.dtype == dtype
    assert got.tolist() == [[[3], [250]]]


def test_scale_comes_before_offset_in_float32() -> None:
    how = Preprocess(scale=0.5, offset=-1.0)
    got = preprocess(image([[0, 1, 255]]), how, FREE, F32)
    assert got.ravel().tolist() == [-1.0, -0.5, 126.5]
    assert got.dtype == np.float32


def test_offset_alone_is_added() -> None:
    got = preprocess(image([[0, 200]]), Preprocess(offset=-128), FREE, F32)
    assert got.ravel().tolist() == [-128.0, 72.0]


def test_scale_of_one_255th_spans_nought_to_one() -> None:
    how = Preprocess(scale=1 / 255)
    got = preprocess(image([[0, 51, 255]]), how, FREE, F32).ravel()
    assert got == pytest.approx([0.0, 0.2, 1.0], abs=1e-7)


def test_invert_comes_before_scale_and_offset() -> None:
    how = Preprocess(invert=True, scale=2.0, offset=1.0)
    got = preprocess(image([[0, 55, 255]]), how, FREE, F32)
    assert got.ravel().tolist() == [511.0, 401.0, 1.0]


def test_asked_image_is_left_as_it_was() -> None:
    asked = image([[0, 200]])
    preprocess(asked, Preprocess(invert=True, scale=3.0), FREE, U8.newbyteorder("="))
    assert asked.ravel().tolist() == [0, 200]


def test_a_plan_serves_image_after_image() -> None:
    plan = Preprocessing(Preprocess(scale=0.5, offset=1.0), (1, 2, 1), F32)
    first = plan(image([[0, 10]]))
    second = plan(image([[30, 30, 30, 30]]))
    assert first.ravel().tolist() == [1.0, 6.0]
    assert second.ravel().tolist() == [16.0, 16.0]
    with pytest.raises(ShapeError, match="3 channels and the model takes 1"):
        plan(np.zeros((1, 2, 3), np.uint8))
    assert plan(image([[2, 4]])).ravel().tolist() == [2.0, 3.0]


def test_plans_are_not_mixed_up() -> None:
    asked = image([[0, 200]])
    plans = [(Preprocess(), F32), (Preprocess(), U8), (Preprocess(invert=True), U8)]
    got = [preprocess(asked, how, FREE, dtype) for how, dtype in plans * 2]
    assert [(each.dtype, each.ravel().tolist()) for each in got] == [
        *[(F32, [0, 200]), (U8, [0, 200]), (U8, [255, 55])] * 2,
    ]


# --- size


@pytest.mark.parametrize("resize", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (3, 9), (28, 28)])
def test_constant_image_stays_constant_at_any_size(
    resize: Any, channels: int, size: tuple[int, int]
) -> None:
    asked = np.full((7, 5, channels), 77, dtype=np.uint8)
    got = preprocess(asked, Preprocess(resize=resize), (*size, channels), F32)
    assert got.shape == (*size, channels)
    assert np.unique(got).tolist() == [77.0]


def test_shrinking_to_one_pixel_takes_the_mean() -> None:
    # A triangle filter over both pixels weighs them equally, in columns and in rows.
    got = preprocess(image([[0, 100], [100, 200]]), Preprocess(), (1, 1, 1), F32)
    assert got.tolist() == [[[100.0]]]


def test_shrinking_keeps_channels_apart() -> None:
    asked = image([[[0, 10, 200], [100, 30, 200]]], channels=3)
    got = preprocess(asked, Preprocess(), (1, 1, 3), F32)
    assert got.tolist() == [[[50.0, 20.0, 200.0]]]


def test_a_thin_line_survives_bilinear_shrinking() -> None:
    # tf.image.resize without antialias looks at 2 of 8 columns and loses column 0.
    asked = np.zeros((8, 8, 1), np.uint8)
    asked[:, 0] = 255
    got = preprocess(asked, Preprocess(), (2, 2, 1), F32)
    assert got[:, 0].min() > 0


def test_nearest_repeats_pixels() -> None:
    got = preprocess(
        image([[1, 2], [3, 4]]), Preprocess(resize="nearest"), (4, 4, 1), U8
    )
    assert got[:, :, 0].tolist() == [
        [1, 1, 2, 2],
        [1, 1, 2, 2],
        [3, 3, 4, 4],
        [3, 3, 4, 4],
    ]


def test_bilinear_enlarges_with_half_pixel_centres() -> None:
    # The new pixels' centres are 0.25 0.75 1.25 1.75; the old pixels' centres are 0.5
    # and 1.5.
    got = preprocess(image([[0, 100]]), Preprocess(), (1, 4, 1), F32)
    assert got.ravel().tolist() == [0.0, 25.0, 75.0, 100.0]


def test_size_is_height_then_width() -> None:
    asked = np.zeros((10, 20, 3), np.uint8)
    assert preprocess(asked, Preprocess(), (4, 6, 3), F32).shape == (4, 6, 3)
    sized = Preprocess(size=(4, 6))
    assert preprocess(asked, sized, FREE, F32).shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("model", "size", "expected"),
    [
        ((None, None), None, (10, 20)),
        ((5, None), None, (5, 20)),
        ((None, 7), None, (10, 7)),
        ((None, None), (3, 4), (3, 4)),
        ((3, None), (3, 4), (3, 4)),
        ((None, 4), (3, 4), (3, 4)),
        ((3, 4), (3, 4), (3, 4)),
    ],
)
def test_free_axis_keeps_the_images_size_or_takes_params(
    model: tuple[int | None, int | None],
    size: tuple[int, int] | None,
    expected: tuple[int, int],
) -> None:
    asked = np.zeros((10, 20, 1), np.uint8)
    got = preprocess(asked, Preprocess(size=size), (*model, None), F32)
    assert got.shape == (*expected, 1)


@pytest.mark.parametrize("model", [(28, 28), (28, None), (None, 28), (30, 28)])
def test_size_that_contradicts_the_model_is_refused(
    model: tuple[int | None, int | None],
) -> None:
    how = Preprocess(size=(30, 30))
    with pytest.raises(ShapeError, match=r"'preprocess\.size' is 30 x 30"):
        preprocess(np.zeros((30, 30, 1), np.uint8), how, (*model, 1), F32)


@pytest.mark.parametrize(("has", "takes"), [(1, 3), (3, 1), (3, 4)])
def test_another_number_of_channels_is_refused(has: int, takes: int) -> None:
    with pytest.raises(ShapeError, match=f"has {has} channels .* takes {takes}"):
        preprocess(np.zeros((2, 2, has), np.uint8), Preprocess(), (2, 2, takes), F32)


# --- numbers


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Preprocess(scale=2.0), [0.0, 400.0]),
        (Preprocess(offset=1.0), [1.0, 201.0]),
        (Preprocess(scale=2.0, offset=1.0), [1.0, 401.0]),
    ],
)
def test_either_of_scale_and_offset_is_applied_alone(
    how: Preprocess, expected: list[float]
) -> None:
    assert preprocess(image([[0, 200]]), how, FREE, F32).ravel().tolist() == expected


def test_whole_numbers_are_rounded_to_the_even_one() -> None:
    # The exact values are 0.5, 1.5, 2.5 and 3.5; a cast alone would give 0, 1, 2 and 3.
    got = preprocess(image([[1, 3, 5, 7]]), Preprocess(scale=0.5), FREE, U8)
    assert got.ravel().tolist() == [0, 2, 2, 4]


@pytest.mark.parametrize(
    ("dtype", "lowest", "highest"), [("uint8", 0, 255), ("int8", -128, 127)]
)
def test_whole_numbers_stay_within_their_range(
    dtype: str, lowest: int, highest: int
) -> None:
    # 0 * 4 - 200 = -200 and 255 * 4 - 200 = 820: a cast alone would wrap them.
    how = Preprocess(scale=4.0, offset=-200.0)
    got = preprocess(image([[0, 255]]), how, FREE, np.dtype(dtype))
    assert got.ravel().tolist() == [lowest, highest]


def test_numbers_are_computed_in_float32_whatever_the_model_takes() -> None:
    asked = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    how = Preprocess(scale=1 / 255, offset=0.1)
    got = preprocess(asked, how, FREE, np.dtype(np.float64))
    assert got.dtype == np.float64
    assert (got == got.astype(np.float32)).all()


# --- models of any size


@pytest.mark.parametrize("model", [(None, None), (1024, None), (None, 1024)])
def test_a_model_of_any_size_takes_a_megapixel_and_no_more(
    model: tuple[int | None, int | None],
) -> None:
    # 1024 * 1024 = 1048576.
    most = np.zeros((1024, 1024, 1), np.uint8)
    assert preprocess(most, Preprocess(), (*model, 1), U8).shape == most.shape
    rows, columns = (1024, 1025) if model[1] is None else (1025, 1024)
    larger = np.zeros((rows, columns, 1), np.uint8)
    with pytest.raises(ShapeError, match=f"{rows} x {columns} .* more than 1048576"):
        preprocess(larger, Preprocess(), (*model, 1), U8)


def test_a_size_that_somebody_named_may_be_larger() -> None:
    asked = np.zeros((1025, 1024, 1), np.uint8)
    sized = Preprocess(size=(1025, 1024))
    assert preprocess(asked, sized, FREE, U8).shape == asked.shape
    assert preprocess(asked, Preprocess(), (1025, 1024, 1), U8).shape == asked.shape
