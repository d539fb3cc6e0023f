"""Requests for predictions in TensorFlow Serving's form: the arrays, and the faults."""

import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest

from bundle.errors import DomainError, ShapeError
from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.wire.tfs.predict import read_predict


def spec(name, dtype, *shape):
    return TensorSpec(name, np.dtype(dtype), (None, *shape))


X = spec("x", np.float32)
TAG, SIGNAL, SENSOR = (
    spec("tag", object),
    spec("signal", np.int64, 5),
    spec("sensor", np.float64, 2, 2),
)
PIXELS = spec("pixels", np.float32, 2, 2, 1)


def model(*inputs, img_channels=0):
    backend = SimpleNamespace(inputs=inputs)
    return SimpleNamespace(backend=backend, img_channels=img_channels, name="m")


def arrays(content, *inputs):
    text = content if isinstance(content, str) else json.dumps(content)
    asked, its = read_predict(text.encode()), model(*inputs)
    assert asked.files_for(its) is None
    return asked.arrays_for(its)


def same(found, wanted, dtype):
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.array(wanted, dtype))


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


# The documents of TensorFlow Serving have these two forms of one request.
ROWS = {
    "instances": [
        {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
        {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
    ]
}
COLUMNS = {
    "inputs": {
        "tag": ["foo", "bar"],
        "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
        "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]],
    }
}


@pytest.mark.parametrize("content", [ROWS, COLUMNS], ids=["row", "column"])
def test_several_inputs(content):
    found = arrays(content, TAG, SIGNAL, SENSOR)
    same(found["tag"], ["foo", "bar"], object)
    same(found["signal"], COLUMNS["inputs"]["signal"], np.int64)
    same(found["sensor"], COLUMNS["inputs"]["sensor"], np.float64)


@pytest.mark.parametrize(
    "content",
    [
        {"instances": [1.0, 2, 5.5]},
        {"instances": [{"x": 1.0}, {"x": 2}, {"x": 5.5}]},
        {"inputs": [1.0, 2, 5.5]},
        {"inputs": {"x": [1.0, 2, 5.5], "unknown": "is passed over"}},
        {"signature_name": "serving_default", "instances": [1.0, 2, 5.5]},
        {"signature_name": "", "instances": [1.0, 2, 5.5], "more": None},
    ],
)
def test_one_input_in_all_forms(content):
    same(arrays(content, X)["x"], [1, 2, 5.5], np.float32)


def test_nan_and_infinity():
    text = '{"instances": [NaN, Infinity, -Infinity, 1e2, "NaN"]}'
    with pytest.raises(InvalidInput, match='"NaN\\\\?" Type: String'):
        arrays(text, X)
    found = arrays(text.replace('"NaN"', "5"), X)["x"]
    same(found, [np.nan, np.inf, -np.inf, 100, 5], np.float32)


def test_a_whole_number_for_a_float_loses_its_last_digits_silently():
    # The documents of TensorFlow Serving have this number.
    found = arrays({"instances": [1435774380]}, X)["x"]
    assert found.tolist() == [1435774336]


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["a", "é"], ["a", "é"]),
        ([b64(b"hello"), "x"], ["hello", "x"]),
        ([{"b64": "aGVsbG8"}, {"b64": "aGVs\nbG8="}], ["hello", "hello"]),
    ],
)
def test_texts_and_base64(texts, wanted):
    same(arrays({"instances": texts}, TAG)["tag"], wanted, object)
    same(arrays({"inputs": {"tag": texts}}, TAG)["tag"], wanted, object)


def test_a_lone_text_is_a_scalar_in_column_form():
    scalar = TensorSpec("t", np.dtype(object), ())
    assert arrays({"inputs": {"t": b64(b"hello")}}, scalar)["t"].shape == ()
    assert arrays({"inputs": b64(b"hello")}, scalar)["t"].item() == "hello"
    assert arrays({"inputs": "hello"}, scalar)["t"].item() == "hello"


def test_half_floats_and_bools():
    half, flag = spec("half", np.float16), spec("flag", np.bool_)
    found = arrays(
        '{"inputs": {"half": [0.5, NaN], "flag": [true, false]}}', half, flag
    )
    same(found["half"], [0.5, np.nan], np.float16)
    same(found["flag"], [True, False], np.bool_)


PICTURE = b"\x89PNG"
IMAGES = model(PIXELS, img_channels=1)


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ({"instances": [b64(PICTURE)] * 2}, 2),
        ({"instances": [{"pixels": b64(PICTURE)}] * 2}, 2),
        ({"inputs": [b64(PICTURE)]}, 1),
        ({"inputs": b64(PICTURE)}, 1),
        ({"inputs": {"pixels": [b64(PICTURE)] * 3}}, 3),
        ({"inputs": {"pixels": b64(PICTURE)}}, 1),
    ],
)
def test_pictures(content, count):
    asked = read_predict(json.dumps(content).encode())
    assert asked.files_for(IMAGES) == [PICTURE] * count
    # No other model takes them: its input holds numbers.
    assert asked.files_for(model(PIXELS)) is None
    with pytest.raises(InvalidInput, match="Object is not of expected type: float"):
        asked.arrays_for(model(PIXELS))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"instances": [b64(PICTURE)] * 65}, "holds 65 pictures; send 1 to 64"),
        ({"instances": [b64(PICTURE), 1]}, "not formatted correctly for base64"),
        ({"instances": [{"b64": "!"}]}, "Unable to base64 decode"),
        (
            {"instances": [{"pixels": b64(PICTURE)}, {"x": 1}]},
            "not formatted correctly for base64",
        ),
    ],
)
def test_no_pictures(content, words):
    with pytest.raises(InvalidInput, match=words):
        read_predict(json.dumps(content).encode()).files_for(IMAGES)


def test_numbers_for_a_model_that_takes_pictures():
    asked = read_predict(b'{"instances": [[[[1], [2]], [[3], [4]]]]}')
    assert asked.files_for(IMAGES) is None
    assert asked.arrays_for(IMAGES)["pixels"].shape == (1, 2, 2, 1)


ROW = "Failed to process element: "
ERROR = " of 'instances' list. Error: INVALID_ARGUMENT: "
INT = spec("n", np.int32)
TABLE = spec("table", np.int32, 2)
# Each is a request, the model's inputs and the whole error.
REFUSED = {
    "nothing": ("", (X,), "JSON Parse error: The document is empty"),
    "no JSON": (
        '{"instances": [1}',
        (X,),
        "JSON Parse error: Invalid value. at offset: 16",
    ),
    "no JSON, with NaN": (
        '{"instances": [NaN}',
        (X,),
        "JSON Parse error: Invalid value. at offset: 18",
    ),
    "no UTF-8": (
        b'{"instances": [NaN, "\xff"]}',
        (TAG,),
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "half a surrogate": (
        '{"instances": [NaN, "\\ud800"]}',
        (TAG,),
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "a number beyond all": (
        '{"instances": [NaN, 1e999]}',
        (X,),
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "a number of many digits": (
        f'{{"instances": [NaN, {"9" * 5000}]}}',
        (X,),
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "lists without end": (
        f'{{"instances": [NaN, {"[" * 100_000}]}}',
        (X,),
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "no object": ([1, 2], (X,), "JSON Value: [1,2] Is not object"),
    "a signature that is no text": (
        {"signature_name": 5, "instances": [1]},
        (X,),
        'JSON Value: {"signature_name":5,"instances":[1]} not formatted correctly.'
        " 'signature_name' key must be a string value.",
    ),
    "an unknown signature": (
        {"signature_name": "other", "instances": [1]},
        (X,),
        'Serving signature name: "other" not found in signature def',
    ),
    "a model without inputs": (
        {"instances": [1]},
        (),
        "Failed to get input map for signature: DEFAULT",
    ),
    "neither form": ({}, (X,), "Missing 'inputs' or 'instances' key"),
    "both forms": (
        {"instances": [1], "inputs": [1]},
        (X,),
        'JSON Value: {"instances":[1],"inputs":[1]} Not formatted correctly expecting'
        " only one of 'inputs' or 'instances' keys to exist ",
    ),
    "instances that are no list": (
        {"instances": {"x": 1}},
        (X,),
        'JSON Value: {"instances":{"x":1}} Excepting \'instances\' to be an list/array',
    ),
    "no instances": (
        {"instances": []},
        (X,),
        "JSON Value: {\"instances\":[]} No values in 'instances' array",
    ),
    "a plain list for several inputs": (
        {"instances": [1]},
        (X, INT),
        "instances is a plain list, but expecting list of objects as multiple input"
        " tensors required as per tensorinfo_map",
    ),
    "a plain value for several inputs": (
        {"inputs": [1]},
        (X, INT),
        "inputs is a plain value/list, but expecting an object as multiple input"
        " tensors required as per tensorinfo_map",
    ),
    "a missing column": (
        {"inputs": {"x": [1]}},
        (X, INT),
        "Missing named input: n in 'inputs' object.",
    ),
    "a list among objects": (
        {"instances": [{"x": 1}, [1]]},
        (X,),
        "Expecting object but got list at item 1 of input list",
    ),
    "an object among lists": (
        {"instances": [[1], {"x": [1]}]},
        (X,),
        "Expecting value/list but got object at item 1 of input list",
    ),
    "an unknown name": (
        {"instances": [{"y": 1}]},
        (X,),
        f"{ROW}0 key: y{ERROR}JSON object: does not have named input: y",
    ),
    "a missing name": (
        {"instances": [{"x": 1, "n": 1}, {"x": 1}]},
        (X, INT),
        f"{ROW}1 of 'instances' list. JSON object: {{\"x\":1}} keys must be equal to:"
        " n,x",
    ),
    "another size": (
        {"instances": [[1, 2], [3, 4], [5, 6, 7]]},
        (TABLE,),
        f"{ROW}2{ERROR}Expecting tensor size: 2 but got: 3",
    ),
    "another shape": (
        {"instances": [[1, 2], [[5, 6]]]},
        (TABLE,),
        f"{ROW}1{ERROR}Expecting shape [2] but got: [1,2]",
    ),
    "a deeper value": (
        {"instances": [1, [1]]},
        (INT,),
        f"{ROW}1{ERROR}Expecting shape [] but got: [1]",
    ),
    "a list where a number was": (
        {"instances": [[1, [2]]]},
        (TABLE,),
        f"{ROW}0{ERROR}Encountered list at unexpected level: 1 expected < 1",
    ),
    "a number where a list was": (
        {"instances": [[[1], 2]]},
        (TABLE,),
        f"{ROW}0{ERROR}JSON Value: 2 found at incorrect level: 2 in the JSON DOM."
        " Expected at level: 2",
    ),
    "a ragged column": (
        {"inputs": [[1, 2], [3]]},
        (TABLE,),
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    "a text for a number": (
        {"instances": [[1, 2], ["a", "b"]]},
        (TABLE,),
        f'{ROW}1{ERROR}JSON Value: "a" Type: String is not of expected type: int32',
    ),
    "a decimal for a whole number": (
        {"inputs": [1.5]},
        (INT,),
        "JSON Value: 1.5 Type: Number is not of expected type: int32",
    ),
    "NaN for a whole number": (
        '{"inputs": [NaN]}',
        (INT,),
        "JSON Value: NaN Type: Number is not of expected type: int32",
    ),
    "a number beyond int32": (
        {"inputs": [2**31]},
        (INT,),
        "JSON Value: 2147483648 Type: Number is not of expected type: int32",
    ),
    "true for a number": (
        {"inputs": [True]},
        (X,),
        "JSON Value: true Type: True is not of expected type: float",
    ),
    "null": (
        {"inputs": [None]},
        (X,),
        "JSON Value: null Type: Null is not of expected type: float",
    ),
    "a number for a text": (
        {"inputs": [1]},
        (TAG,),
        "JSON Value: 1 Type: Number is not of expected type: string",
    ),
    "a number for a bool": (
        {"inputs": [1]},
        (spec("flag", np.bool_),),
        "JSON Value: 1 Type: Number is not of expected type: bool",
    ),
    "a number beyond float32": (
        {"inputs": [1e39]},
        (X,),
        "Cannot convert JSON value: 1e+39 to float without loss of precision.",
    ),
    "a number beyond float32 beside infinity": (
        '{"inputs": [Infinity, -1e39]}',
        (X,),
        "Cannot convert JSON value: -1e+39 to float without loss of precision.",
    ),
    "a number beyond float16": (
        {"inputs": [1e6]},
        (spec("half", np.float16),),
        "Cannot convert JSON value: 1000000.0 to half without loss of precision.",
    ),
    "a type without a form": (
        {"inputs": [1]},
        (spec("z", np.complex64),),
        "Conversion of JSON Value: 1 to type: complex64",
    ),
    "no base64": ({"inputs": [{"b64": "?"}]}, (TAG,), "Unable to base64 decode"),
    "base64 that is no text": (
        {"inputs": [b64(b"\xff")]},
        (TAG,),
        "the base64 data is not a text in UTF-8, and the model takes texts",
    ),
    "another object": (
        {"inputs": [{"b64": 1}]},
        (TAG,),
        'JSON Value: {"b64":1} not formatted correctly for base64 data',
    ),
    "a long value": (
        {"inputs": ["a" * 200]},
        (X,),
        f'JSON Value: "{"a" * 127}… Type: String is not of expected type: float',
    ),
}


@pytest.mark.parametrize(("content", "inputs", "error"), REFUSED.values(), ids=REFUSED)
def test_refused(content, inputs, error):
    body = content if isinstance(content, (str, bytes)) else json.dumps(content)
    body = body.encode() if isinstance(body, str) else body
    with pytest.raises(InvalidInput) as caught:
        asked, its = read_predict(body), model(*inputs)
        assert asked.files_for(its) is None
        asked.arrays_for(its)
    assert str(caught.value) == error


@pytest.mark.parametrize("form", ["instances", "inputs"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([[1], [2]], "has shape \\(2, 1\\) and the model takes \\(any\\)"),
        ([[]], "has shape \\(1, 0\\)"),
    ],
)
def test_shapes_that_the_model_does_not_take(form, value, words):
    with pytest.raises(ShapeError, match=words):
        arrays({form: value}, X)


def test_lists_nested_deeper_than_any_array():
    nested = 1
    for _ in range(900):
        nested = [nested]
    for content in ({"instances": [nested]}, {"inputs": nested}):
        with pytest.raises(DomainError, match="nested more than 32 deep"):
            arrays(content, X)
    deep = "[" * 900 + "NaN" + "]" * 900
    with pytest.raises(DomainError):
        arrays(f'{{"instances": {deep}}}', X)
