"""Rows for a model whose inputs are named as the keys, some of them texts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import BundleError
from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.models.fitness import check_features, takes_named_values
from runtime.prediction.rows import read_rows, to_row_input

DTYPES = {"pt": "f4", "njet": "i8", "part": "O", "good": "?"}
FEATURES = ("pt", "part", "good", "njet")


def specs(*names, item=(1,)):
    return tuple(TensorSpec(n, np.dtype(DTYPES[n]), (None, *item)) for n in names)


MIXED = specs("good", "njet", "part", "pt")


def made(keys, values, of=MIXED, features=FEATURES):
    return to_row_input(read_rows(keys, values), of, features)


@given(st.permutations(FEATURES))
def test_each_input_gets_the_value_of_its_name(keys):
    row = {"pt": 0.5, "part": "mu", "good": True, "njet": 3}
    other = {"pt": -1, "part": "τ", "good": False, "njet": 4.0}
    arrays = made(list(keys), [[each[key] for key in keys] for each in (row, other)])
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "pt": [[0.5], [-1.0]],
        "part": [["mu"], ["τ"]],
        "good": [[True], [False]],
        "njet": [[3], [4]],
    }
    assert {name: array.dtype for name, array in arrays.items()} == {
        name: np.dtype(dtype) for name, dtype in DTYPES.items()
    }


def test_one_row_is_one_item():
    arrays = made([*FEATURES], [0.5, "mu", True, 3])
    assert {array.shape for array in arrays.values()} == {(1, 1)}


def test_an_input_of_items_without_axes_gets_values_alone():
    arrays = made(
        ["part", "pt"], [["e", 1], ["mu", 2]], specs("pt", "part", item=()), ()
    )
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "pt": [1, 2],
        "part": ["e", "mu"],
    }


def test_without_features_the_keys_are_the_names_of_the_inputs():
    arrays = made(["pt", "part"], [1, "e"], specs("part", "pt"), ())
    assert arrays["part"].tolist() == [["e"]]
    with pytest.raises(InvalidInput, match="^the key 'part' is missing; .* part, pt$"):
        made(["pt"], [1], specs("part", "pt"), ())
    with pytest.raises(InvalidInput, match="with 'part', 'pt', .* values by 'keys'$"):
        made([], [1, "e"], specs("part", "pt"), ())


def test_a_model_of_one_text_takes_rows_of_one():
    assert made(["part"], [["e"], ["x"]], specs("part"), ("part",))[
        "part"
    ].tolist() == [["e"], ["x"]]


def test_null_is_a_missing_number_or_text():
    arrays = made([*FEATURES], [[None, None, True, 3], [1, "", True, 3]])
    assert math.isnan(arrays["pt"][0, 0])
    assert arrays["pt"][1, 0] == 1
    assert arrays["part"].tolist() == [[""], [""]]


def test_rows_know_whether_a_value_is_null():
    assert read_rows([*FEATURES], [[1, "", True, 3], [1, None, True, 3]]).has_missing
    assert not read_rows([*FEATURES], [1, "", True, 3]).has_missing


def test_nan_of_a_message_is_a_missing_number():
    arrays = made(["pt", "njet"], [math.nan, 3.0], specs("njet", "pt"), ())
    assert math.isnan(arrays["pt"][0, 0])
    with pytest.raises(InvalidInput, match="at the key 'pt' holds NaN, infinity"):
        made(["pt", "njet"], [math.inf, 3.0], specs("njet", "pt"), ())


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (["x", "e", True, 3], "at the key 'pt' must hold numbers, and holds a text"),
        ([1, 2, True, 3], "at the key 'part' must hold texts, and holds a number"),
        ([1, "e", 1, 3], "at the key 'good' must hold booleans, and holds a number"),
        ([1, "e", None, 3], "at the key 'good' holds null, which stands for a missing"),
        ([1, "e", True, None], "at the key 'njet' holds null.* int64 has none"),
        ([1, "e", True, 3.5], "at the key 'njet' must hold whole numbers"),
        ([1e39, "e", True, 3], "at the key 'pt' holds NaN, infinity or a number too"),
        ([{}, "e", True, 3], "at the key 'pt' must hold numbers, and holds an object"),
    ],
)
def test_a_value_that_an_input_does_not_hold_is_named_by_its_key(row, problem):
    with pytest.raises(InvalidInput, match=rf"^'values' {problem}"):
        made([*FEATURES], row)


def test_a_number_beyond_its_input_is_named_by_its_key():
    small = (TensorSpec("n", np.dtype("u1"), (None, 1)), *specs("part"))
    assert made(["n", "part"], [[200, "e"]], small, ())["n"].tolist() == [[200]]
    for values in ([256, "e"], [[1, "e"], [256, "e"]]):
        with pytest.raises(InvalidInput, match="^'values' at the key 'n' holds a numb"):
            made(["n", "part"], values, small, ())
    with pytest.raises(
        InvalidInput, match="^'values' at the key 'n' must hold numbers"
    ):
        made(["n", "part"], ["e", "e"], small, ())


def test_the_row_is_named_if_there_are_several():
    with pytest.raises(InvalidInput, match=r"^'values\[2\]' at the key 'pt' must hold"):
        made([*FEATURES], [[1, "e", True, 3]] * 2 + [["e", 1, True, 3]])
    # The error tells the first of two wrong values.
    with pytest.raises(InvalidInput, match=r"^'values\[1\]' .* and holds an object"):
        made(["pt", "part"], [[1, "e"], [{}, "e"], ["x", "e"]], specs("part", "pt"), ())


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (["pt", "part", "good"], "there are 3 keys and 4 values in a row"),
        (["pt", "part", "good", "x"], "the model has no feature 'x'; it has pt, part"),
        (["pt", "part", "good", "pt"], "the key 'pt' is there twice"),
        ([], "the key 'pt' is missing; the model takes pt, part, good, njet"),
    ],
)
def test_keys_that_are_not_the_features_are_named(keys, problem):
    with pytest.raises(InvalidInput, match=f"^{problem}"):
        made(keys, [1, "e", True, 3])


@pytest.mark.parametrize(
    ("shape", "dtype", "takes"),
    [
        ((None, 1), "f4", True),
        ((4,), "O", True),
        ((None, 1), "?", True),
        ((None, 2), "f4", False),
        ((None, None), "O", False),
        ((None, 1, 1), "O", False),
        ((), "O", False),
        ((None, 1), "c8", False),
    ],
)
def test_each_input_takes_one_value_of_an_item(shape, dtype, takes):
    one = TensorSpec("x", np.dtype(dtype), shape)
    assert takes_named_values((one,)) is takes
    assert takes_named_values((*MIXED, one)) is takes


def test_features_must_be_the_names_of_the_inputs():
    check_features(FEATURES, MIXED)
    for features in (("pt", "part", "good"), (*FEATURES, "x"), ("pt",) * 4):
        with pytest.raises(
            BundleError, match="must name the model's inputs, .* good, njet, part, pt"
        ):
            check_features(features, MIXED)


# -- one input of numbers -------------------------------------------------------------

TWO = (TensorSpec("row", np.dtype("f4"), (None, 2)),)


def test_null_is_missing_in_a_row_whose_values_have_names():
    rows = made(["b", "a"], [[None, 1], [2, 3]], TWO, ("a", "b"))["row"]
    np.testing.assert_array_equal(rows, [[1, np.nan], [3, 2]])
    with pytest.raises(
        InvalidInput, match="^'values' must hold numbers, and holds nul"
    ):
        made([], [None, 1], TWO, ())


@pytest.mark.parametrize("features", [("a", "b"), ()])
def test_a_text_in_a_row_of_numbers_is_named_by_its_key(features):
    with pytest.raises(
        InvalidInput, match="^'values' at the key 'b' must hold numbers"
    ):
        made(["b", "a"], ["x", 1], TWO, features)
    with pytest.raises(InvalidInput, match=r"^'values\[1\]' at the key 'a' must hold"):
        made(["a", "b"], [[1, 2], ["x", 1]], TWO, features)
    with pytest.raises(
        InvalidInput, match="^'values' must hold numbers, and holds a te"
    ):
        made([], ["x", 1], TWO, ())


def test_null_has_no_meaning_where_the_values_have_no_names():
    with pytest.raises(
        InvalidInput, match="^'values' must hold numbers, and holds null"
    ):
        made(["a", "b"], [1, None], TWO, ())


def test_of_a_long_key_the_beginning_is_shown():
    with pytest.raises(InvalidInput, match=f"at the key '{'k' * 128}' must hold"):
        made(["k" * 200, "b"], ["x", 1], TWO, ())


def test_a_number_too_large_for_a_row_is_told_without_its_key():
    with pytest.raises(InvalidInput, match="^'values' holds NaN, infinity or a number"):
        made(["a", "b"], [1e39, 1], TWO, ("a", "b"))


def test_null_in_a_row_of_whole_numbers_is_told_by_its_key():
    whole = (TensorSpec("row", np.dtype("i4"), (None, 2)),)
    for features in (("a", "b"), ()):
        with pytest.raises(
            InvalidInput, match="^'values' at the key 'b' holds null, wh"
        ):
            made(["a", "b"], [1, None], whole, features)
