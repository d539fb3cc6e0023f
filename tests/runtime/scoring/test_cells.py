"""Cells become a model's inputs; a row with a wrong cell is rejected by its column."""

import numpy as np
import pytest

from runtime.backends import TensorSpec
from runtime.prediction.rows import read_rows, to_row_input
from runtime.scoring.cells import inputs_of_numbers, inputs_of_table
from runtime.scoring.chunks import Table
from tests.runtime.scoring.makers import LINEAR, facts_with, rows_of


def made(facts, **columns):
    rows = len(next(iter(columns.values())))
    return inputs_of_table(Table(columns), rows, facts)


def test_a_row_of_a_file_is_the_same_input_as_a_row_of_a_request():
    facts = rows_of("pt", "eta")
    places, inputs, rejected = made(facts, pt=["0.1", " 7 "], eta=["1e-3", "-2"])
    asked = read_rows(["eta", "pt"], [[1e-3, 0.1], [-2, 7]])
    expected = to_row_input(asked, facts.inputs, facts.features)
    assert (places, rejected) == ([0, 1], {})
    assert inputs["row"].dtype == np.float32
    assert np.array_equal(inputs["row"], expected["row"])


def test_the_values_of_a_row_fill_the_input_of_a_picture():
    columns = {name: [str(n)] for n, name in enumerate("abcd")}
    _, inputs, _ = made(LINEAR, **columns)
    assert inputs["pixels"].tolist() == [[[[0.0], [1.0]], [[2.0], [3.0]]]]


def test_a_missing_value_is_nan_for_a_model_with_features_alone():
    cells = ["1", "", "nan", "NA"]
    places, inputs, rejected = made(rows_of("a"), a=cells)
    assert places == [0, 1, 2, 3]
    assert np.array_equal(
        inputs["row"].ravel(), [1, np.nan, np.nan, np.nan], equal_nan=True
    )
    assert rejected == {}
    places, inputs, rejected = made(rows_of(width=1), a=cells)
    assert (places, inputs["row"].tolist()) == ([0], [[1.0]])
    assert rejected == {n: "the value 'a' is missing" for n in (1, 2, 3)}


def test_a_cell_that_is_no_number_is_told_by_its_column():
    places, inputs, rejected = made(
        rows_of("a", "b"),
        a=["1", "inf", "x" * 50, "4", "1e39"],
        b=["1", "2", "y", "1,5", "5"],
    )
    assert (places, inputs["row"].tolist()) == ([0], [[1.0, 1.0]])
    assert rejected == {
        1: "the value 'a' is inf, which the model's float32 cannot hold",
        2: f"the value 'a' is '{'x' * 40}', which is no number",
        3: "the value 'b' is '1,5', which is no number",
        4: "the value 'a' is 1e+39, which the model's float32 cannot hold",
    }


@pytest.mark.parametrize(
    ("dtype", "numbers", "bad"),
    [
        (np.uint8, [0.0, 255.0, 256.0, -1.0, 0.5, np.nan, np.inf], [2, 3, 4, 5, 6]),
        (np.int64, [2**53, -7], []),
        (np.int8, np.array([127, 128, -129]), [1, 2]),
        (np.float16, np.array([60000, 70000, -70000]), [1, 2]),
        (np.float32, np.array([2**64 - 1], np.uint64), []),
        (np.float32, [1.0, np.nan, -np.inf], [1, 2]),
    ],
)
def test_no_number_is_wrapped_or_becomes_infinite(dtype, numbers, bad):
    matrix = np.array(numbers)[:, np.newaxis]
    facts = rows_of(width=1, dtype=dtype)
    places, inputs, rejected = inputs_of_numbers(matrix, facts, (1,))
    assert sorted(rejected) == bad
    assert places == [n for n in range(len(matrix)) if n not in bad]
    assert inputs["row"].dtype == dtype
    assert np.array_equal(inputs["row"].ravel(), matrix.ravel()[places].astype(dtype))


def test_a_model_of_several_inputs_is_asked_as_a_request_asks_it():
    # Such rows are read by runtime.prediction.rows; a model that takes none refuses
    # each of them.
    inputs = (
        TensorSpec("a", np.dtype(np.float32), (None, 1)),
        TensorSpec("b", np.dtype(object), (None, 1)),
    )
    facts = facts_with(inputs=inputs, features=("a", "c"))
    places, made_inputs, rejected = made(facts, a=["1", "x"], c=["mu", "e"])
    assert (places, made_inputs) == ([], {})
    assert rejected[1] == "the value 'a' is 'x', which is no number"


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_a_whole_number_that_a_float_may_change_is_rejected(dtype):
    cells = [str(2**53 - 1), str(2**53), str(2**63), str(2**64), "1e300"]
    places, inputs, rejected = made(rows_of("a", dtype=dtype), a=cells)
    assert (places, inputs["row"].tolist()) == ([0], [[2**53 - 1]])
    assert [*rejected] == [1, 2, 3, 4]
    assert rejected[1] == (
        "the value 'a' is beyond 9007199254740991, up to which whole numbers are exact;"
        " give an array of whole numbers in a .npz"
    )
    largest = np.array([[np.iinfo(dtype).max]], dtype)
    _, inputs, _ = inputs_of_numbers(largest, rows_of("a", dtype=dtype), (1,))
    assert inputs["row"].tolist() == largest.tolist()
