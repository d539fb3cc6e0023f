"""Replies of the Open Inference Protocol, and arrays on their way there and back."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from bundle.errors import DomainError
from runtime.backends import TensorSpec
from runtime.prediction.answers import Outputs
from runtime.wire.content import texts_of
from runtime.wire.oip.blobs import from_blob, to_blob, to_elements
from runtime.wire.oip.classification import best_classes
from runtime.wire.oip.datatypes import DTYPES, datatype_of
from runtime.wire.oip.head import Wanted
from runtime.wire.oip.reply import write_reply
from runtime.wire.oip.request import InferRequest, read_request
from runtime.wire.oip.tensors import to_input

ALL = InferRequest("7", (), (), False)


def answer(**outputs):
    main, *_ = outputs
    return Outputs("fake/cpu", 3, outputs, main, ("zero", "one", "two"))


def test_the_reply_in_json():
    probs = np.array([[0.5, 0.25, 0.25]], np.float32)
    reply = write_reply("mnist", ALL, answer(probs=probs))
    assert reply.json_bytes is None
    assert json.loads(reply.body) == {
        "model_name": "mnist",
        "model_version": "3",
        "id": "7",
        "outputs": [
            {
                "name": "probs",
                "datatype": "FP32",
                "shape": [1, 3],
                "data": [0.5, 0.25, 0.25],
            }
        ],
    }


def test_a_reply_without_id_and_version_has_neither():
    outputs = answer(y=np.array([True]))._replace(version=None)
    content = json.loads(write_reply("m", ALL._replace(id=None), outputs).body)
    assert content.keys() == {"model_name", "outputs"}
    assert content["outputs"][0]["data"] == [True]


def test_the_reply_in_binary_has_the_blobs_in_the_order_of_the_wishes():
    asked = ALL._replace(outputs=(Wanted("b", True, 0), Wanted("a", True, 0)))
    outputs = answer(a=np.array([1], np.int16), b=np.array([2.0], np.float32))
    body, size = write_reply("m", asked, outputs)
    described = json.loads(body[:size])["outputs"]
    assert described == [
        {
            "name": "b",
            "datatype": "FP32",
            "shape": [1],
            "parameters": {"binary_data_size": 4},
        },
        {
            "name": "a",
            "datatype": "INT16",
            "shape": [1],
            "parameters": {"binary_data_size": 2},
        },
    ]
    assert body[size:] == b"\0\0\0@\1\0"


def test_one_reply_may_have_both():
    asked = ALL._replace(outputs=(Wanted("a", False, 0), Wanted("b", True, 0)))
    body, size = write_reply(
        "m", asked, answer(a=np.array(1, np.int16), b=np.array(["é"], object))
    )
    a, b = json.loads(body[:size])["outputs"]
    assert (a["shape"], a["data"]) == ([], [1])
    assert b["datatype"] == "BYTES"
    assert body[size:] == b"\2\0\0\0\xc3\xa9"


def test_json_refuses_what_it_cannot_carry_and_binary_does_not():
    outputs = answer(y=np.array([np.nan, np.inf], np.float32))
    with pytest.raises(DomainError, match="ask for it with the parameter binary_data"):
        write_reply("m", ALL, outputs)
    body, size = write_reply("m", ALL._replace(is_binary=True), outputs)
    assert np.isnan(np.frombuffer(body[size:], "<f4")[0])


def test_classes_have_value_number_and_label_best_first():
    asked = ALL._replace(outputs=(Wanted("probs", False, 2),))
    probs = np.array([[0.25, 0.75, 0.25], [1e-9, 0, 0]], np.float32)
    (output,) = json.loads(write_reply("m", asked, answer(probs=probs)).body)["outputs"]
    assert output == {
        "name": "probs",
        "datatype": "BYTES",
        "shape": [2, 2],
        "data": ["0.75:1:one", "0.25:0:zero", "1e-09:0:zero", "0.0:1:one"],
    }


def test_only_the_main_output_has_labels():
    asked = ALL._replace(outputs=(Wanted("other", True, 9),))
    outputs = answer(probs=np.zeros((1, 3)), other=np.array([[1, 3, 2]]))
    body, size = write_reply("m", asked, outputs)
    assert body[size:] == to_elements(["3:1", "2:2", "1:0"])


def test_one_value_of_two_labels_belongs_to_the_second():
    best = best_classes("y", np.array([[0.75]]), 5, ("no", "yes"))
    assert best.tolist() == [["0.75:0:yes"]]


@pytest.mark.parametrize(
    ("output", "classes", "words"),
    [
        (np.array(["a"], object), 1, "needs numbers"),
        (np.array([True]), 1, "needs numbers"),
        (np.array(1.0), 1, "a batch axis"),
        (np.zeros((1001, 1000)), 1000, "more than 1000000"),
    ],
)
def test_an_output_without_classes_is_refused(output, classes, words):
    with pytest.raises(DomainError, match=words):
        best_classes("y", output, classes, ())


@pytest.mark.parametrize(
    ("blob", "count", "words"),
    [
        (b"\5\0\0\0abc", 1, "expecting 2 additional bytes"),
        (b"\xff\xff\xff\xff", 1, "beyond the end"),
        (b"\1\0\0", 1, "take at least 4"),
        (b"\5\0\0\0abcd\0", 2, "ends after 1 elements"),
        (b"\1\0\0\0ab", 1, "unexpected additional input data"),
        (b"", 10**9, "take at least"),
    ],
)
def test_elements_are_bounded_before_they_are_read(blob, count, words):
    with pytest.raises(DomainError, match=words):
        from_blob("input 'x'", memoryview(blob), "BYTES", (count,))


def test_a_bool_is_0_or_1():
    with pytest.raises(DomainError, match="neither 0 nor 1"):
        from_blob("input 'x'", memoryview(b"\0\1\2"), "BOOL", (3,))


def test_a_text_is_utf_8():
    array = from_blob("input 'x'", memoryview(b"\1\0\0\0\xff"), "BYTES", (1,))
    with pytest.raises(DomainError, match="input 'x' holds an element"):
        texts_of("input 'x'", array)


SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=4)


def arrays(datatype):
    dtype = DTYPES[datatype]
    if datatype == "BYTES":
        texts = st.text(st.characters(codec="utf-8"), max_size=4)
        return arrays_of.arrays(dtype, SHAPES, elements=texts)
    elements = arrays_of.from_dtype(dtype, allow_nan=False, allow_infinity=False)
    return arrays_of.arrays(dtype, SHAPES, elements=elements)


@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("datatype", DTYPES)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_arrays_come_back_as_they_were(datatype, is_binary, data):
    """A reply's tensor is sent again in a request, and read as the model's input."""
    array = data.draw(arrays(datatype))
    reply = write_reply("m", ALL._replace(is_binary=is_binary), answer(x=array))
    head = json.loads(reply.body[: reply.json_bytes])
    rest = reply.body[reply.json_bytes or len(reply.body) :]
    content = json.dumps({"inputs": head["outputs"]}).encode()
    read = read_request(content + rest, str(len(content)))
    (tensor,) = read.inputs
    back = to_input(tensor, TensorSpec("x", array.dtype, (None,) * array.ndim))
    assert datatype_of(back.dtype) == datatype
    assert back.shape == array.shape
    assert back.dtype == array.dtype
    if datatype == "BYTES":
        assert back.tolist() == array.tolist()
    else:
        assert to_blob(back) == to_blob(array)


def test_bytes_that_are_no_text_are_for_binary_alone():
    outputs = answer(y=np.array([b"\xff"], object))
    with pytest.raises(DomainError, match="no text in UTF-8; ask for it with"):
        write_reply("m", ALL, outputs)
    binary = ALL._replace(is_binary=True)
    assert write_reply("m", binary, outputs).body.endswith(b"\x01\0\0\0\xff")


def test_a_dtype_that_the_protocol_lacks_is_told():
    outputs = answer(y=np.array([1j], np.complex64))
    with pytest.raises(DomainError, match="output 'y' is complex64"):
        write_reply("m", ALL, outputs)
    assert datatype_of(np.dtype(np.complex64)) == "COMPLEX64"


def test_a_huge_count_of_texts_is_refused_before_there_is_an_array():
    with pytest.raises(DomainError, match="take at least"):
        from_blob("input 'x'", memoryview(b""), "BYTES", (1 << 45,))
