import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bundle.errors import ShapeError
from runtime.errors import InvalidInput
from runtime.prediction.inputs import flatten, to_array

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=3)


@given(arrays.arrays(np.int64, SHAPES))
def test_nested_lists_are_what_numpy_made_them_of(array):
    nested = flatten("it", array.tolist())
    assert nested.shape == array.shape
    assert np.array_equal(to_array("it", nested, np.dtype(np.int64)), array)


@given(arrays.arrays(np.float32, (2, 3), elements=st.floats(width=32)))
def test_floats_come_out_as_they_went_in(array):
    nested = flatten("it", array.tolist())
    if np.isfinite(array).all():
        assert np.array_equal(to_array("it", nested, array.dtype), array)
    else:
        with pytest.raises(InvalidInput, match="NaN, infinity or a number too large"):
            to_array("it", nested, array.dtype)


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats() | st.floats(-1e5, 1e5)


@given(st.lists(NUMBERS), st.sampled_from(["f2", "f4", "f8"]))
def test_floats_are_rounded_as_numpy_rounds_them(numbers, dtype):
    with np.errstate(over="ignore"):
        expected = np.array(numbers, np.float64).astype(dtype)
    if np.isfinite(expected).all():
        array = to_array("it", flatten("it", numbers), np.dtype(dtype))
        assert array.tobytes() == expected.tobytes()
        assert array.flags.writeable
    else:
        with pytest.raises(InvalidInput, match="NaN, infinity or a number too large"):
            to_array("it", flatten("it", numbers), np.dtype(dtype))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_whole_numbers_are_taken_up_to_the_limits_of_their_dtype(dtype):
    limits = np.iinfo(dtype)
    ends = [limits.min, 0.0, limits.max]
    assert to_array("it", flatten("it", ends), np.dtype(dtype)).tolist() == ends
    for beyond in (limits.min - 1, limits.max + 1):
        with pytest.raises(InvalidInput, match=f"beyond the model's {np.dtype(dtype)}"):
            to_array("it", flatten("it", [beyond]), np.dtype(dtype))


@given(JSON, st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u1", "u8", "?", "O"]))
def test_whatever_json_holds_becomes_an_array_of_the_dtype_or_is_refused(value, dtype):
    try:
        array = to_array("it", flatten("it", value), np.dtype(dtype))
    except (InvalidInput, ShapeError):
        return
    assert array.dtype == dtype
    # numpy itself compares: the array must hold the same value, as precise as its
    # dtype.
    flat = [value]
    while flat and isinstance(flat[0], list):
        flat = [v for inner in flat for v in inner]
    for got, sent in zip(array.ravel().tolist(), flat, strict=True):
        assert (
            got == pytest.approx(sent, rel=1e-3, abs=1e-7)
            if dtype[0] == "f"
            else got == sent
        )


@pytest.mark.parametrize("value", [[[1], 2], [1, [2]], [[1, 2], [3]], [[[1]], [[]]]])
def test_lists_of_different_lengths_are_refused(value):
    with pytest.raises(ShapeError, match="it is ragged"):
        flatten("it", value)


@pytest.mark.parametrize("text", ["9007199254740993.0", "9007199254740992.0", "1e16"])
def test_a_large_whole_float_stands_for_no_one_number(text):
    """2**53 and its neighbour are the same float64."""
    nested = flatten("it", [json.loads(text)])
    with pytest.raises(InvalidInput, match="must hold whole numbers"):
        to_array("it", nested, np.dtype(np.int64))


def test_the_largest_whole_float_that_is_one_number():
    nested = flatten("it", [json.loads("9007199254740991.0")])
    assert to_array("it", nested, np.dtype(np.int64)).tolist() == [9007199254740991]
