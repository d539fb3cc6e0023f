import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import BundleError
from runtime.backends import TensorSpec
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
    with pytest.raises(BundleError, match="'features' is not the model's: .* takes 4"):
        model_of(open_bundle(tmp_path), 1, BackendOptions(provider="cpu"))
