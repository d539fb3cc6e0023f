"""Replies in TensorFlow Serving's form."""

import json

import numpy as np
import pytest

from runtime.errors import InvalidInput
from runtime.prediction.answers import Outputs
from runtime.wire.tfs.reply import write_classes, write_predictions, write_values


def answer(*, labels=(), **outputs):
    main, *_ = outputs
    return Outputs("fake/cpu", 3, outputs, main, labels)


def row(**outputs):
    return json.loads(write_predictions(True, answer(**outputs)))


def column(**outputs):
    return json.loads(write_predictions(False, answer(**outputs)))


NUMBERS = np.array([[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]], np.int32)
TEXTS = np.array([["hello", "world"], ["tf", "serving"]], object)
OBJECTS = [
    [{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}],
    [{"b64": "dGY="}, {"b64": "c2VydmluZw=="}],
]


def test_one_output_has_no_name():
    assert row(n=NUMBERS) == {"predictions": NUMBERS.tolist()}
    assert column(n=NUMBERS) == {"outputs": NUMBERS.tolist()}


def test_several_outputs_have_names():
    outputs = {
        "double": np.array([8.0, 9.0]),
        "float": np.array([[1], [2]], np.float32),
        "int": NUMBERS,
        "text": TEXTS,
        "text_bytes": TEXTS,
        "flag": np.array([True, False]),
    }
    assert row(**outputs) == {
        "predictions": [
            {
                "double": 8.0,
                "float": [1.0],
                "int": [[1, 2], [3, 4], [5, 6]],
                "text": ["hello", "world"],
                "text_bytes": OBJECTS[0],
                "flag": True,
            },
            {
                "double": 9.0,
                "float": [2.0],
                "int": [[7, 8], [9, 0], [1, 2]],
                "text": ["tf", "serving"],
                "text_bytes": OBJECTS[1],
                "flag": False,
            },
        ]
    }
    assert column(**outputs) == {
        "outputs": {
            "double": [8.0, 9.0],
            "float": [[1.0], [2.0]],
            "int": NUMBERS.tolist(),
            "text": TEXTS.tolist(),
            "text_bytes": OBJECTS,
            "flag": [True, False],
        }
    }


def test_bytes_that_are_no_text_need_the_name_of_bytes():
    raw = np.array([b"\xff\x00"], object)
    assert row(y_bytes=raw) == {"predictions": [{"b64": "/wA="}]}
    with pytest.raises(InvalidInput, match="'y' holds bytes that are no text in UTF-8"):
        row(y=raw)


def test_nan_and_infinity_and_the_fewest_digits():
    odd = np.array([[np.nan, np.inf], [0.2, -np.inf]], np.float32)
    assert write_predictions(True, answer(y=odd)) == (
        b'{"predictions":[[NaN,Infinity],[0.2,-Infinity]]}\n'
    )
    half, count = odd.astype(np.float16), np.array([1, 2])
    assert write_predictions(True, answer(y=half, n=count)) == (
        b'{"predictions":[{"y":[NaN,Infinity],"n":1},'
        b'{"y":[0.19995117,-Infinity],"n":2}]}\n'
    )
    alone = np.array(np.nan)
    assert write_predictions(False, answer(y=alone)) == b'{"outputs":NaN}\n'
    assert write_predictions(True, answer(y=odd[:, 0], n=count)) == (
        b'{"predictions":[{"y":NaN,"n":1},{"y":0.2,"n":2}]}\n'
    )


def test_a_scalar_stands_in_column_form_alone():
    assert column(y=np.array(0.2, np.float32)) == {"outputs": 0.2}
    assert column(y=np.array("a", object)) == {"outputs": "a"}
    with pytest.raises(InvalidInput) as caught:
        row(y=np.array(1.0))
    assert str(caught.value) == "Tensor name: y has no shape information "


def test_outputs_of_two_lengths_stand_in_column_form_alone():
    outputs = {"a": np.array([1, 2]), "b": np.array([1])}
    assert column(**outputs) == {"outputs": {"a": [1, 2], "b": [1]}}
    with pytest.raises(InvalidInput) as caught:
        row(**outputs)
    assert str(caught.value) == (
        "Tensor name: b has inconsistent batch size: 1 expecting: 2"
    )


def test_no_items():
    empty = np.zeros((0, 2), np.float32)
    assert row(y=empty) == {"predictions": []}
    assert row(a=empty, b=np.zeros((0, 1, 2), np.int32)) == {"predictions": []}


@pytest.mark.parametrize("is_row", [True, False])
def test_a_type_that_json_cannot_carry(is_row):
    with pytest.raises(InvalidInput) as caught:
        write_predictions(is_row, answer(y=np.array([1j], np.complex64)))
    assert str(caught.value) == (
        "Failed to write JSON value for tensor type: complex64"
    )


# TensorFlow Serving's own tests have these numbers.
SCORES = np.array([[0.2, 0.7, 0.1], [0.7, 0.1, 0.2]], np.float32)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("car", "bike", "bus"), ("car", "bike", "bus")),
        (("car", "bike"), ("car", "bike", "")),
        ((), ("", "", "")),
    ],
)
def test_classes(labels, names):
    found = json.loads(write_classes(answer(y=SCORES, labels=labels)))
    assert found == {
        "results": [
            [[names[0], 0.2], [names[1], 0.7], [names[2], 0.1]],
            [[names[0], 0.7], [names[1], 0.1], [names[2], 0.2]],
        ]
    }


def test_classes_of_one_score():
    one = np.array([[0.25]], np.float32)
    two = json.loads(write_classes(answer(y=one, labels=("no", "yes"))))
    assert two == {"results": [[["no", 0.75], ["yes", 0.25]]]}
    alone = json.loads(write_classes(answer(y=one, labels=("yes",))))
    assert alone == {"results": [[["yes", 0.25]]]}


def test_classes_that_are_no_numbers():
    odd = np.array([[np.nan, 1]], np.float32)
    assert write_classes(answer(y=odd)) == b'{"results":[[["",NaN],["",1.0]]]}\n'


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_values(shape):
    odd = np.array([0.2, np.inf, 1, -np.inf, np.nan], np.float32).reshape(shape)
    assert write_values(answer(y=odd)) == (
        b'{"results":[0.2,Infinity,1.0,-Infinity,NaN]}\n'
    )


def test_whole_numbers_become_decimal_ones():
    assert write_values(answer(y=np.array([1, 2]))) == b'{"results":[1.0,2.0]}\n'


@pytest.mark.parametrize("write", [write_classes, write_values])
@pytest.mark.parametrize(
    "output", [np.array(["a"], object), np.array(1.0), np.zeros((2, 3, 4))]
)
def test_outputs_that_are_no_scores(write, output):
    with pytest.raises(InvalidInput, match="output 'y' has no"):
        write(answer(y=output))


@pytest.mark.parametrize("kind", "?bBhHiIlLqQ")
def test_whole_numbers_of_all_of_numpys_kinds(kind):
    array = np.array([0, 1], kind)
    values = array.tolist()
    assert row(y=array) == {"predictions": values}
    assert row(y=array, z=array)["predictions"][1] == {"y": values[1], "z": values[1]}
    assert column(y=array[1].reshape(())) == {"outputs": values[1]}
    assert column(y=array.reshape(1, 2)) == {"outputs": [values]}
