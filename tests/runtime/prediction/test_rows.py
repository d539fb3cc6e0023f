import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import BundleError, ShapeError
from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.models.fitness import check_features, takes_rows
from runtime.prediction.rows import read_rows, to_row_input


def spec(*shape, dtype=np.float32):
    return (TensorSpec("x", np.dtype(dtype), shape),)


@given(st.permutations(["a", "b", "c", "d"]))
def test_keys_in_any_order_give_the_models_order(keys):
    values = [float("abcd".index(key)) for key in keys]
    rows = read_rows(keys, [values, values])
    table = to_row_input(rows, spec(None, 4), ("a", "b", "c", "d"))["x"]
    assert table.tolist() == [[0, 1, 2, 3]] * 2


def test_without_features_the_order_is_taken_as_it_is():
    rows = read_rows(["b", "a"], [1, 2])
    assert to_row_input(rows, spec(None, 2), ())["x"].tolist() == [[1, 2]]


def test_a_row_for_an_input_of_items_without_axes_is_one_number():
    assert to_row_input(read_rows([], [[1], [2]]), spec(None), ())["x"].tolist() == [
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("specs", "takes"),
    [
        (spec(None, 3), True),
        (spec(4, 2, 2, 1), True),
        (spec(None, None), True),
        (spec(None), True),
        (spec(), False),
        (spec(None, None, None), False),
        (spec(None, 3, dtype=object), False),
        (spec(None, 3, dtype=bool), False),
        (spec(None, 3) * 2, False),
    ],
)
def test_rows_are_for_models_where_they_can_be_one_thing(specs, takes):
    assert takes_rows(specs) is takes


def test_features_must_be_as_many_as_a_row_has_values():
    check_features((), spec())
    check_features(("a", "b", "c"), spec(None, 3))
    check_features(("a", "b", "c"), spec(None, None))
    with pytest.raises(BundleError, match="a row has 2 values and the model takes 3"):
        check_features(("a", "b"), spec(None, 3))
    with pytest.raises(BundleError, match="one input of numbers"):
        check_features(("a", "b"), spec(None, 2) * 2)


def test_a_bundle_whose_features_are_not_the_models_does_not_load(tmp_path):
    from bundle.folder import open_bundle
    from runtime.backends.options import BackendOptions
    from runtime.models.opening import model_of
    from tests.examples import write_bundle

    write_bundle(tmp_path, params={"features": ["a", "b"]})
    with pytest.raises(BundleError, match="'features' does not fit .* takes 4"):
        model_of(open_bundle(tmp_path), 1, BackendOptions(provider="cpu"))


@pytest.mark.parametrize(
    ("keys", "values", "problem"),
    [
        ("ab", [1, 2], "'keys' must be a list of texts"),
        (("a", "b"), [1, 2], "'keys' must be a list of texts"),
        (["a", 2], [1, 2], "'keys' must be a list of texts"),
        ([], 7, "'values' must be a list of numbers, or a list of such rows"),
        ([], [[[1]]], "'values' must be a list of numbers, or a list of such rows"),
        ([], [], "'values' is empty"),
        ([], [[], []], "'values' is empty"),
    ],
)
def test_what_is_no_table_is_refused(keys, values, problem):
    with pytest.raises(InvalidInput, match=f"^{problem}"):
        read_rows(keys, values)


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ShapeError, match="'values' is ragged"):
        read_rows([], [[1, 2], [3]])


def test_no_keys_are_null_or_an_empty_list():
    for keys in (None, []):
        rows = read_rows(keys, [1.5, 2.5])
        assert (rows.keys, rows.values.shape) == ((), (2,))
        assert rows.values.flat == [1.5, 2.5]


def test_one_row_is_told_from_a_list_of_one():
    assert read_rows([], [1, 2]).is_one
    assert not read_rows([], [[1, 2]]).is_one


def test_keys_and_rows_are_kept_as_they_came():
    rows = read_rows(["b", "a"], [[1, 2], [3, 4]])
    assert rows.keys == ("b", "a")
    assert (rows.values.shape, rows.values.flat) == ((2, 2), [1, 2, 3, 4])


def test_a_row_is_filled_into_the_axes_of_an_item_in_order():
    rows = read_rows([], [[1, 2, 3, 4], [5, 6, 7, 8]])
    (fixed,) = to_row_input(rows, spec(9, 2, 2, 1), ()).values()
    assert fixed.tolist() == [[[[1], [2]], [[3], [4]]], [[[5], [6]], [[7], [8]]]]
    assert fixed.dtype == np.float32
    (free,) = to_row_input(rows, spec(None, None, 2, dtype=np.int64), ()).values()
    assert free.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert free.dtype == np.int64


def test_a_model_that_takes_no_rows_says_what_it_takes():
    two = (*spec(None, 2), TensorSpec("y", np.dtype(np.float32), (None, 2)))
    with pytest.raises(InvalidInput, match="send 'inputs' with 'x', 'y', and no"):
        to_row_input(read_rows([], [1, 2]), two, ())


@pytest.mark.parametrize(
    ("width", "shape", "wanted"),
    [
        (2, (None, 3), "takes 3"),
        (4, (None, 3), "takes 3"),
        (3, (None, None, 2), "of 2"),
    ],
)
def test_a_row_of_another_width_is_refused(width, shape, wanted):
    rows = read_rows([], [[0.5] * width] * 5)
    with pytest.raises(ShapeError, match=f"a row has {width} values .* {wanted}"):
        to_row_input(rows, spec(*shape), ())


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (["a"], "there are 1 keys and 2 values in a row"),
        (["a", "b", "c"], "there are 3 keys and 2 values in a row"),
        (["a", "a"], "the key 'a' is there twice"),
        (["a", "z"], "the model has no feature 'z'; it has a, b"),
        (["a", "z" * 1000], f"the model has no feature '{'z' * 128}'; it has a, b"),
        ([], "the key 'a' is missing; the model takes a, b"),
    ],
)
def test_keys_that_do_not_fit_the_features_are_named(keys, problem):
    with pytest.raises(InvalidInput, match=f"^{problem}$"):
        to_row_input(read_rows(keys, [[1, 2], [3, 4]]), spec(None, 2), ("a", "b"))


def test_the_first_key_that_is_wrong_is_the_one_that_is_named():
    rows = read_rows(["y", "a", "z"], [1, 2, 3])
    with pytest.raises(InvalidInput, match="no feature 'y'"):
        to_row_input(rows, spec(None, 3), ("a", "b", "c"))
    rows = read_rows(["c", "a", "b", "a", "b"], [1, 2, 3, 4, 5])
    with pytest.raises(InvalidInput, match="the key 'a' is there twice"):
        to_row_input(rows, spec(None, 5), ("a", "b", "c"))
    rows = read_rows(["c"], [1])
    with pytest.raises(InvalidInput, match="the key 'b' is missing"):
        to_row_input(rows, spec(None, 1), ("c", "b"))


def test_keys_are_counted_also_where_the_model_has_no_features():
    with pytest.raises(InvalidInput, match="there are 1 keys and 2 values"):
        to_row_input(read_rows(["a"], [1, 2]), spec(None, 2), ())
    same = to_row_input(read_rows(["a", "a"], [1, 2]), spec(None, 2), ())
    assert same["x"].tolist() == [[1, 2]]


def test_a_number_that_the_model_does_not_hold_is_named():
    with pytest.raises(InvalidInput, match="^'values' must hold whole numbers"):
        to_row_input(read_rows([], [0.5]), spec(None, 1, dtype=np.int64), ())


def test_an_error_names_some_of_thousands_of_features():
    features = tuple(f"c{number}" for number in range(2000))
    rows = read_rows(["z", *features[1:]], [0.5] * 2000)
    with pytest.raises(InvalidInput) as caught:
        to_row_input(rows, spec(2000), features)
    assert str(caught.value).startswith("the model has no feature 'z'; it has c0, c1, ")
    assert str(caught.value).endswith(", c49 and 1950 others")
