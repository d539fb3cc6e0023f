"""Requests of the Open Inference Protocol: what is read, and what is refused."""

import json
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from bundle.errors import DomainError
from runtime.backends import TensorSpec
from runtime.wire.oip.head import Wanted, _read_short
from runtime.wire.oip.request import InferRequest, read_request

PIXELS = TensorSpec("img", np.dtype(np.float32), (None, 28, 28, 1))
PROBS = TensorSpec("probs", np.dtype(np.float32), (None, 10))
SIZE = 3136  # 28 * 28 numbers of four bytes


def model(*inputs, outputs=(PROBS,), img_channels=0):
    backend = SimpleNamespace(inputs=inputs or (PIXELS,), outputs=outputs)
    return SimpleNamespace(
        backend=backend, img_channels=img_channels, output=outputs[0]
    )


def tensor(**changes):
    one = {"name": "img", "shape": [1, 28, 28, 1], "datatype": "FP32", **changes}
    return {key: value for key, value in one.items() if value is not None}


def binary(size=SIZE, **changes):
    return tensor(parameters={"binary_data_size": size}, **changes)


def packed(content, blob=b"", header=...):
    head = content if isinstance(content, bytes) else json.dumps(content).encode()
    return head + blob, str(len(head)) if header is ... else header


# Each is a body and a header, and words that the error has.
BLOB = bytes(SIZE)
ONE = {"inputs": [binary()]}
NUMBERS = [0] * 784
REFUSED = {
    "a header that is no number": (packed(ONE, BLOB, "abc"), "is 'abc'"),
    "a negative header": (packed(ONE, BLOB, "-1"), "is '-1'"),
    "a header beyond the body": (packed(ONE, BLOB, "9999"), "is 9999, and the body"),
    "a huge header": (packed(ONE, BLOB, "9" * 20), "must be the number of bytes"),
    "a size too small": (
        packed({"inputs": [binary(SIZE - 1)]}, BLOB[1:]),
        "has 3135 bytes of binary data, and its shape [1, 28, 28, 1] of FP32",
    ),
    "a size too large": (
        packed({"inputs": [binary(SIZE + 1)]}, BLOB + b"0"),
        "has 3137 bytes",
    ),
    "bytes that are missing": (
        packed({"inputs": [binary(SIZE + 1)]}, BLOB),
        "expecting 1 additional bytes",
    ),
    "bytes that are left over": (
        packed(ONE, BLOB + b"0"),
        "unexpected additional input data: 1 bytes",
    ),
    "no data at all": (packed({"inputs": [tensor()]}), "and has neither"),
    "data twice": (packed({"inputs": [binary(data=NUMBERS)]}, BLOB), "and has both"),
    "a size that is no number": (packed({"inputs": [binary(1.5)]}), "whole number"),
    "a negative size": (packed({"inputs": [binary(-1)]}), "from 0 on"),
    "a negative side": (
        packed({"inputs": [binary(shape=[-1, 28, 28, 1])]}, BLOB),
        "has a negative number",
    ),
    "a huge shape": (
        packed({"inputs": [binary(shape=[2**62, 4])]}, BLOB),
        "larger than any array",
    ),
    "a huge shape of nothing": (
        packed({"inputs": [binary(0, shape=[0, 2**62, 4])]}),
        "larger than any array",
    ),
    "many axes": (
        packed({"inputs": [tensor(shape=[1] * 10_000, data=[0])]}),
        "32 axes",
    ),
    "a shape of texts": (packed({"inputs": [tensor(shape=["1"], data=[0])]}), "shape"),
    "no shape": (packed({"inputs": [tensor(shape=None, data=[0])]}), "the shape of"),
    "an unknown datatype": (
        packed({"inputs": [binary(datatype="FP99")]}, BLOB),
        "FP99",
    ),
    "lower case": (packed({"inputs": [binary(datatype="fp32")]}, BLOB), "'fp32'"),
    "no datatype": (packed({"inputs": [binary(datatype=None)]}, BLOB), "is no text"),
    "another datatype": (
        packed({"inputs": [binary(datatype="INT32")]}, BLOB),
        "is INT32 and the model takes FP32",
    ),
    "an input twice": (packed({"inputs": [binary(), binary()]}, BLOB * 2), "twice"),
    "an unknown input": (
        packed({"inputs": [binary(name="other")]}, BLOB),
        "no input 'other'; its inputs are img",
    ),
    "one input too many": (
        packed({"inputs": [binary(), binary(name="other")]}, BLOB * 2),
        "no input 'other'",
    ),
    "an unknown output": (
        packed({**ONE, "outputs": [{"name": "logits"}]}, BLOB),
        "no output 'logits'",
    ),
    "an output twice": (
        packed({**ONE, "outputs": [{"name": "probs"}] * 2}, BLOB),
        "output 'probs' is there twice",
    ),
    "no classes": (
        packed(
            {
                **ONE,
                "outputs": [{"name": "probs", "parameters": {"classification": 0}}],
            },
            BLOB,
        ),
        "'classification' of output 'probs'",
    ),
    "shared memory": (
        packed({"inputs": [tensor(parameters={"shared_memory_region": "x"})]}),
        "shared memory",
    ),
    "a deep JSON": (
        packed(b'{"inputs":[],"x":' + b"[" * 100 + b"]" * 100 + b"}"),
        "nested more than 100 deep",
    ),
    "deep data": (
        packed(
            b'{"inputs":[{"name":"img","shape":[1],"datatype":"FP32","data":'
            + b"[" * 101
            + b"]" * 101
            + b"}]}"
        ),
        "nested more than 32 deep",
    ),
    "a depth that no parser takes": (packed(b"[" * 5000), "is not JSON"),
    "no inputs": (packed({"inputs": []}), "'inputs' is empty"),
    "inputs that are no list": (packed({"inputs": {}}), "must be a list"),
    "an input that is none": (packed({"inputs": [1]}), "input 1 must be an object"),
    "an input without a name": (packed({"inputs": [{}]}), "'name' of input 1"),
    "no object": (packed([]), "one JSON object"),
    "bytes after the JSON": (packed(ONE, BLOB, None), "is not JSON"),
    "an id that is no text": (packed({**ONE, "id": 7}, BLOB), "'id' must be a text"),
    "a parameter that is a list": (
        packed({**ONE, "parameters": {"a": []}}, BLOB),
        "the parameter 'a' of the request",
    ),
    "a flag that is a number": (
        packed({**ONE, "parameters": {"binary_data_output": 1}}, BLOB),
        "'binary_data_output' must be true or false",
    ),
    "a timeout that is no number": (
        packed({**ONE, "parameters": {"timeout": -1}}, BLOB),
        "'timeout'",
    ),
    "numbers that are texts": (
        packed({"inputs": [tensor(data=["0"] * 784)]}),
        "must hold numbers, and holds a text",
    ),
    "fewer numbers": (packed({"inputs": [tensor(data=[0] * 783)]}), "takes 784 values"),
    "another nesting": (
        packed({"inputs": [tensor(data=[NUMBERS, NUMBERS])]}),
        "data of the shape [2, 784]",
    ),
    "NaN": (packed(b'{"inputs":[{"name":"img","data":[NaN]}]}'), "is not JSON"),
    "a number beyond FP32": (
        packed({"inputs": [tensor(data=[1e39, *NUMBERS[1:]])]}),
        "too large for the model's float32",
    ),
    "an empty batch": (
        packed({"inputs": [tensor(data=[], shape=[0, 28, 28, 1])]}),
        "empty batch",
    ),
}


@pytest.mark.parametrize(("request_", "words"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_request_is_refused_with_its_reason(request_, words):
    with pytest.raises(DomainError) as refused:
        read_request(*request_).arrays_for(model())
    assert words in str(refused.value)


def test_a_missing_input_is_named():
    both = model(PIXELS, TensorSpec("mask", np.dtype(bool), (None,)))
    with pytest.raises(DomainError, match="input 'mask' is missing"):
        read_request(*packed(ONE, BLOB)).arrays_for(both)


def test_binary_numbers_are_not_copied_where_they_are_aligned():
    numbers = np.arange(784, dtype="<f4")
    for spaces in range(4):
        head = json.dumps(ONE).encode() + b" " * spaces
        body = head + numbers.tobytes()
        (array,) = read_request(body, str(len(head))).arrays_for(model()).values()
        np.testing.assert_array_equal(array.ravel(), numbers)
        assert array.flags.aligned
        start = np.frombuffer(body, np.uint8).ctypes.data
        is_inside = start <= array.ctypes.data < start + len(body)
        assert is_inside == ((start + len(head)) % 4 == 0)


def test_the_same_json_may_stand_before_other_bytes():
    for value in (1, 2):
        body, header = packed(ONE, np.full(784, value, "<f4").tobytes())
        (array,) = read_request(body, header).arrays_for(model()).values()
        assert (array == value).all()
    with pytest.raises(DomainError, match="expecting 3136 additional bytes"):
        read_request(*packed(ONE))


def test_nested_and_flat_data_mean_the_same():
    spec = TensorSpec("x", np.dtype(np.float32), (None, 2))
    for data in ([[1, 2], [3, 4]], [1, 2, 3, 4]):
        one = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": data}
        arrays = read_request(*packed({"inputs": [one]}, header=None)).arrays_for(
            model(spec)
        )
        assert arrays["x"].tolist() == [[1, 2], [3, 4]]
        assert arrays["x"].dtype == np.float32


def test_all_parts_of_a_request_are_read():
    content = {
        "id": "7",
        "inputs": [tensor(data=NUMBERS)],
        "outputs": [
            {"name": "probs"},
            {"name": "logits", "parameters": {"binary_data": False}},
            {"name": "best", "parameters": {"classification": 3}},
        ],
        "parameters": {"binary_data_output": True, "timeout": 5000, "priority": 1},
        "unknown": {"keys": ["are", "passed", "over"]},
    }
    read = read_request(*packed(content, header=None))
    assert read.id == "7"
    assert read.microseconds == 5000
    assert read.outputs == (
        Wanted("probs", True, 0),
        Wanted("logits", False, 0),
        Wanted("best", True, 3),
    )


@pytest.mark.parametrize("timeout", [0, "0", None])
def test_no_timeout_is_none(timeout):
    content = {"inputs": [tensor(data=NUMBERS)], "parameters": {"timeout": timeout}}
    if timeout is None:
        del content["parameters"]
    assert read_request(*packed(content)).microseconds is None


def raw(blob, *inputs):
    arrays = read_request(blob, "0").arrays_for(model(*inputs))
    (array,) = arrays.values()
    return array


def test_a_raw_body_is_one_item():
    assert raw(BLOB).shape == (1, 28, 28, 1)
    free = TensorSpec("x", np.dtype(np.int16), (None, None, 2))
    assert raw(b"\1\0\2\0\3\0\4\0", free).tolist() == [[[1, 2], [3, 4]]]
    fixed = TensorSpec("x", np.dtype(np.uint8), (2, 2))
    assert raw(b"\1\2\3\4", fixed).tolist() == [[1, 2], [3, 4]]
    text = TensorSpec("x", np.dtype(object), (None,))
    assert raw("é".encode(), text).tolist() == ["é"]


@pytest.mark.parametrize(
    ("inputs", "blob", "words"),
    [
        ((PIXELS, PIXELS), BLOB, "the model has 2"),
        ((PIXELS,), BLOB[1:], "has 3135 bytes"),
        (
            (TensorSpec("x", np.dtype(np.int16), (None, None, None)),),
            b"12",
            "2 free axes",
        ),
        ((TensorSpec("x", np.dtype(np.int16), (None, None)),), b"123", "no multiple"),
        ((TensorSpec("x", np.dtype(object), (None, 2)),), b"x", "one element of BYTES"),
    ],
)
def test_a_raw_body_that_is_no_item_is_refused(inputs, blob, words):
    with pytest.raises(DomainError, match=words):
        raw(blob, *inputs)


# An image model takes encoded pictures in an input of BYTES.
FILES = [b"\x89PNG\0\0", b"\xff\xd8\xff"]


def files_of(content, blob=b"", **changes):
    one = {"name": "img", "shape": [2], "datatype": "BYTES", **content}
    read = read_request(*packed({"inputs": [one], **changes}, blob))
    return read.files_for(model(img_channels=1))


def test_pictures_are_bytes_as_they_are_or_base64_in_json():
    blob = b"".join(struct.pack("<I", len(file)) + file for file in FILES)
    size = {"binary_data_size": len(blob)}
    assert files_of({"parameters": size}, blob) == FILES
    assert files_of({"data": ["iVBORwAA", "/9j/"]}) == FILES
    assert files_of({"data": [["iVBORwAA", "/9j/"]], "shape": [1, 2]}) == FILES


@pytest.mark.parametrize(
    ("content", "changes", "words"),
    [
        ({"data": ["no base64", "/9j/"]}, {}, "no base64"),
        ({"data": ["é", "/9j/"]}, {}, "no base64"),
        ({"data": [], "shape": [0]}, {}, "holds 0 pictures"),
        ({"data": ["/9j/"] * 65, "shape": [65]}, {}, "holds 65 pictures"),
        ({"data": ["/9j/"], "name": "other", "shape": [1]}, {}, "no input 'other'"),
        ({"data": ["/9j/"], "shape": [1]}, {"outputs": [{"name": "x"}]}, "no output"),
    ],
)
def test_pictures_that_are_none_are_refused(content, changes, words):
    with pytest.raises(DomainError, match=words):
        files_of(content, **changes)


def test_other_inputs_are_no_pictures():
    text = TensorSpec("text", np.dtype(object), (None,))
    asked = InferRequest(None, read_request(*packed(ONE, BLOB)).inputs, (), False)
    assert asked.files_for(model(img_channels=1)) is None
    texts = tensor(name="text", datatype="BYTES", shape=[1], data=["a"])
    read = read_request(*packed({"inputs": [texts]}))
    assert read.files_for(model(text, img_channels=1)) is None
    assert read.files_for(model()) is None


@pytest.mark.parametrize("key", ["inputs", "outputs"])
def test_keys_that_nobody_knows_have_a_depth_in_each_tensor(key):
    def read(depth):
        more = json.loads("[" * depth + "]" * depth)
        content = {"inputs": [tensor(data=NUMBERS)], "outputs": [{"name": "probs"}]}
        content[key][0]["more"] = more
        return read_request(*packed(content, header=None))

    read(97)
    with pytest.raises(DomainError, match="nested more than 100 deep"):
        read(98)


@pytest.mark.parametrize(("more", "kept"), [({}, 1), ({"id": "7"}, 0)])
def test_a_head_that_says_who_asks_is_not_kept(more, kept):
    _read_short.cache_clear()
    for _ in range(2):
        read_request(*packed({**ONE, **more}, BLOB))
        read_request(*packed({"inputs": [tensor(shape=[1], data=[1])]}, header=None))
    assert _read_short.cache_info().currsize == kept
