"""Requests for classifications and regressions: the arrays, and the faults."""

import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest

from bundle.errors import DomainError
from runtime.backends import TensorSpec
from runtime.wire.tfs.examples import read_examples

X = TensorSpec("x", np.dtype(np.float32), (None,))
PIXELS = TensorSpec("pixels", np.dtype(np.float32), (None, 2, 2, 1))


def spec(name, dtype, *shape):
    return TensorSpec(name, np.dtype(dtype), (None, *shape))


def model(*inputs, features=(), img_channels=0):
    return SimpleNamespace(
        backend=SimpleNamespace(inputs=inputs),
        bundle=SimpleNamespace(params=SimpleNamespace(features=features)),
        img_channels=img_channels,
    )


def arrays(content, its, method="classify"):
    asked = read_examples(json.dumps(content).encode(), method)
    assert asked.files_for(its) is None
    return asked.arrays_for(its)


def test_a_number_for_each_example():
    # The documents of TensorFlow Serving have this request.
    content = {
        "signature_name": "tensorflow/serving/regress",
        "examples": [{"x": 1.0}, {"x": 2.0}],
    }
    found = arrays(content, model(X), "regress")["x"]
    assert (found.tolist(), found.dtype) == ([1, 2], np.float32)


def test_lists_take_the_shape_of_the_input():
    content = {"examples": [{"pixels": [1, 2, 3, 4]}, {"pixels": [5, 6, 7, 8]}]}
    found = arrays(content, model(PIXELS))["pixels"]
    assert found.tolist() == np.arange(1, 9).reshape(2, 2, 2, 1).tolist()


def test_all_kinds_of_features_and_the_context():
    inputs = (
        spec("names", object, 2),
        spec("age", np.int64),
        spec("ratings", np.float32, None),
        spec("flags", np.bool_, 2),
    )
    one = {"names": ["foo", {"b64": "YmFy"}], "ratings": [8.0, float("nan")]}
    two = {"names": ["a", "b"], "ratings": [1.0, 2.0]}
    content = {
        "context": {"age": True, "flags": [True, False]},
        "examples": [one, two],
    }
    found = arrays(content, model(*inputs))
    assert found["names"].tolist() == [["foo", "bar"], ["a", "b"]]
    assert found["age"].tolist() == [1, 1]
    assert found["flags"].tolist() == [[True, False]] * 2
    np.testing.assert_array_equal(found["ratings"], np.float32([[8, np.nan], [1, 2]]))


def test_features_of_the_params_are_put_into_their_order():
    its = model(spec("row", np.float32, 3), features=("a", "b", "c"))
    content = {"context": {"c": 3}, "examples": [{"b": 2, "a": 1}, {"a": 4, "b": [5]}]}
    assert arrays(content, its)["row"].tolist() == [[1, 2, 3], [4, 5, 3]]
    # The input's own name does, too.
    content = {"examples": [{"row": [1, 2, 3]}]}
    assert arrays(content, its)["row"].tolist() == [[1, 2, 3]]


def test_pictures():
    picture = {"b64": base64.b64encode(b"\x89PNG").decode()}
    content = {"examples": [{"pixels": picture}, {"pixels": [picture]}]}
    asked = read_examples(json.dumps(content).encode(), "classify")
    assert asked.files_for(model(PIXELS, img_channels=1)) == [b"\x89PNG"] * 2
    assert asked.files_for(model(PIXELS)) is None


NAMES = spec("names", np.int64, None)
# Each is a request, the model's inputs, and words of the error.
REFUSED = {
    "no examples": (
        {},
        (X,),
        "JSON Value: {} When method is classify, key 'examples' is expected and was not"
        " found",
    ),
    "examples that are no list": (
        {"examples": {"x": 1}},
        (X,),
        'JSON Value: {"examples":{"x":1}} Expecting \'examples\' value to be an'
        " list/array",
    ),
    "an empty list": (
        {"examples": []},
        (X,),
        "JSON Value: {\"examples\":[]} 'examples' value is an empty array",
    ),
    "an example that is no object": (
        {"examples": [[{"x": 1}]]},
        (X,),
        "Example must be JSON object but got JSON Array",
    ),
    "a context that is no object": (
        {"context": [], "examples": [{"x": 1}]},
        (X,),
        "Example must be JSON object but got JSON Array",
    ),
    "null": (
        {"examples": [{"names": [10, None]}]},
        (NAMES,),
        "Feature: names has element with unexpected JSON type: Null",
    ),
    "a list in a list": (
        {"examples": [{"names": [[10], 20]}]},
        (NAMES,),
        "Feature: names has element with unexpected JSON type: Array",
    ),
    "an object": (
        {"examples": [{"names": [10, {"test": 10}]}]},
        (NAMES,),
        "Feature: names has element with unexpected JSON type: Object",
    ),
    "two kinds": (
        {"examples": [{"names": [10, 10.0]}]},
        (NAMES,),
        "Unexpected element type in feature: names expecting type: int64",
    ),
    "a huge number": (
        {"examples": [{"names": [20, 18446744073709551603]}]},
        (NAMES,),
        "Feature: names has uint64 element. Only int64 is supported.",
    ),
    "an unknown signature": (
        {"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1}]},
        (X,),
        'Serving signature name: "tensorflow/serving/regress" not found in signature'
        " def",
    ),
    "a feature twice": (
        {"context": {"x": 1}, "examples": [{"x": 1}]},
        (X,),
        "feature 'x' stands in the context and in an example",
    ),
    "an unknown feature": (
        {"examples": [{"y": 1}]},
        (X,),
        "the model has no input 'y'; its inputs are x",
    ),
    "a missing feature": ({"examples": [{}]}, (X,), "input 'x' is missing"),
    "too many values": (
        {"examples": [{"x": [1, 2]}]},
        (X,),
        "feature 'x' has 2 values, and the model takes ()",
    ),
    "two lengths": (
        {"examples": [{"names": [1, 2]}, {"names": [1]}]},
        (NAMES,),
        "feature 'names' is ragged: its lists at depth 2 have different lengths",
    ),
    "a text for a number": (
        {"examples": [{"x": "a"}]},
        (X,),
        "feature 'x' must hold numbers, and holds a text",
    ),
    "no value": (
        {"examples": [{"pixels": []}]},
        (PIXELS,),
        "feature 'pixels' has 0 values, and the model takes (2, 2, 1)",
    ),
}


@pytest.mark.parametrize(("content", "inputs", "error"), REFUSED.values(), ids=REFUSED)
def test_refused(content, inputs, error):
    with pytest.raises(DomainError) as caught:
        arrays(content, model(*inputs))
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ([{"a": 1, "b": 2}, {"a": 1}], "example 1 has other features than the first"),
        ([{"a": 1, "b": [2, 3]}], "feature 'b' has 2 values, and the model takes one"),
        ([{"a": 1, "c": 2}], "the model has no feature 'c'; it has a, b"),
    ],
)
def test_features_that_do_not_fit_the_params(examples, words):
    its = model(spec("row", np.float32, 2), features=("a", "b"))
    with pytest.raises(DomainError, match=words):
        arrays({"examples": examples}, its)
