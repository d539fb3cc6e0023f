"""The messages of gRPC: what is read, what is written, and what is refused."""

import struct
from types import SimpleNamespace

import numpy as np
import pytest

from bundle.errors import DomainError, ShapeError
from runtime.backends import TensorSpec
from runtime.errors import InvalidInput
from runtime.prediction.answers import Outputs
from runtime.wire.oip.head import Wanted
from runtime.wire.oip.inference_pb2 import ModelInferRequest
from runtime.wire.oip.messages import read_infer, write_infer
from runtime.wire.oip.request import InferRequest
from runtime.wire.protobuf import read_message

# Each datatype has its dtype, the field of its values, two values, and their raw bytes,
# which are written by hand as the specification has them.
TYPES = {
    "BOOL": (np.bool_, "bool_contents", [True, False], b"\1\0"),
    "UINT8": (np.uint8, "uint_contents", [1, 255], b"\x01\xff"),
    "UINT16": (np.uint16, "uint_contents", [1, 65535], b"\x01\0\xff\xff"),
    "UINT32": (np.uint32, "uint_contents", [1, 2**32 - 1], b"\x01\0\0\0" + b"\xff" * 4),
    "UINT64": (
        np.uint64,
        "uint64_contents",
        [1, 2**64 - 1],
        b"\x01" + bytes(7) + b"\xff" * 8,
    ),
    "INT8": (np.int8, "int_contents", [1, -128], b"\x01\x80"),
    "INT16": (np.int16, "int_contents", [1, -2], b"\x01\0\xfe\xff"),
    "INT32": (np.int32, "int_contents", [1, -2], b"\x01\0\0\0\xfe\xff\xff\xff"),
    "INT64": (
        np.int64,
        "int64_contents",
        [1, -2],
        b"\x01" + bytes(7) + b"\xfe" + b"\xff" * 7,
    ),
    "FP16": (np.float16, None, [1, -2], b"\0\x3c\0\xc0"),
    "FP32": (np.float32, "fp32_contents", [1, -2], b"\0\0\x80\x3f\0\0\0\xc0"),
    "FP64": (
        np.float64,
        "fp64_contents",
        [1, -2],
        bytes(6) + b"\xf0\x3f" + bytes(7) + b"\xc0",
    ),
    "BYTES": (
        object,
        "bytes_contents",
        [b"a", b"\xc3\xa9b"],
        b"\1\0\0\0a\3\0\0\0\xc3\xa9b",
    ),
}
TYPED = [name for name, (_, field, _, _) in TYPES.items() if field]


def model(datatype="FP32", outputs=("y",)):
    dtype = np.dtype(TYPES[datatype][0])
    x = TensorSpec("x", dtype, (None, 2))
    specs = tuple(TensorSpec(name, dtype, (None, 2)) for name in outputs)
    backend = SimpleNamespace(inputs=(x,), outputs=specs)
    return SimpleNamespace(backend=backend, img_channels=0, output=specs[0])


def message(datatype="FP32", shape=(1, 2), *, name="x", raw=None, **contents):
    made = ModelInferRequest(model_name="m")
    made.inputs.add(name=name, datatype=datatype, shape=shape)
    for field, values in contents.items():
        getattr(made.inputs[0].contents, field).extend(values)
    if raw is not None:
        made.raw_input_contents.append(raw)
    return made


def array_of(made, datatype="FP32"):
    return read_infer(made).arrays_for(model(datatype))["x"]


def expected(datatype):
    dtype, _, values, _ = TYPES[datatype]
    if datatype == "BYTES":
        values = [value.decode() for value in values]
    return np.array([values], dtype)


@pytest.mark.parametrize("datatype", TYPES)
def test_raw_bytes(datatype):
    array = array_of(message(datatype, raw=TYPES[datatype][3]), datatype)
    assert array.dtype == TYPES[datatype][0]
    assert np.array_equal(array, expected(datatype))


@pytest.mark.parametrize("datatype", TYPED)
def test_values_one_by_one(datatype):
    _, field, values, _ = TYPES[datatype]
    array = array_of(message(datatype, **{field: values}), datatype)
    assert array.dtype == TYPES[datatype][0]
    assert np.array_equal(array, expected(datatype))


def test_raw_numbers_are_not_copied():
    blob = struct.pack("<2f", 1, 2)
    request = read_infer(message(raw=blob))
    array = request.arrays_for(model())["x"]
    assert np.shares_memory(array, np.frombuffer(request.inputs[0].content, np.uint8))


@pytest.mark.parametrize("datatype", TYPES)
def test_a_raw_request_has_a_raw_answer(datatype):
    request = read_infer(message(datatype, raw=TYPES[datatype][3]))
    answer = Outputs("e/d", 3, {"y": expected(datatype)}, "y", ())
    written = write_infer("m", request, answer)
    assert (written.model_name, written.model_version, written.id) == ("m", "3", "")
    (output,) = written.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("y", datatype, [1, 2])
    assert list(written.raw_output_contents) == [TYPES[datatype][3]]
    assert not output.HasField("contents")


@pytest.mark.parametrize("datatype", TYPED)
def test_values_are_answered_by_values(datatype):
    _, field, values, _ = TYPES[datatype]
    request = read_infer(message(datatype, **{field: values}))
    answer = Outputs("e/d", 3, {"y": expected(datatype)}, "y", ())
    written = write_infer("m", request, answer)
    assert list(getattr(written.outputs[0].contents, field)) == values
    assert not written.raw_output_contents


def test_no_field_holds_fp16_so_all_outputs_are_raw():
    request = read_infer(message(fp32_contents=[1, 2]))
    outputs = {"y": np.ones((1, 1), np.float16), "z": np.ones((1, 1), np.int8)}
    written = write_infer("m", request, Outputs("e/d", 3, outputs, "y", ()))
    assert list(written.raw_output_contents) == [b"\0\x3c", b"\1"]


def test_a_number_that_json_cannot_carry():
    request = read_infer(message(fp32_contents=[float("nan"), float("inf")]))
    (first, second) = request.arrays_for(model())["x"][0]
    assert np.isnan(first)
    assert np.isinf(second)


def test_what_a_request_asks_beside_its_inputs():
    made = message(fp32_contents=[1, 2])
    made.id = "7"
    made.parameters["timeout"].int64_param = 250
    made.parameters["priority"].uint64_param = 1
    made.outputs.add(name="y").parameters["classification"].int64_param = 2
    made.outputs.add(name="z").parameters["binary_data"].bool_param = True
    request = read_infer(made)
    assert request.id == "7"
    assert request.microseconds == 250
    assert request.outputs == (Wanted("y", True, 2), Wanted("z", True, 0))


def test_classes():
    request = InferRequest(None, (), (Wanted("y", True, 2),), True)
    scores = np.array([[0.25, 0.5, 0.125]], np.float32)
    answer = Outputs("e/d", None, {"y": scores}, "y", ("cat", "dog", "cow"))
    written = write_infer("m", request, answer)
    assert written.model_version == ""
    assert written.outputs[0].datatype == "BYTES"
    assert list(written.outputs[0].shape) == [1, 2]
    assert written.raw_output_contents[0] == b"\t\0\0\x000.5:1:dog\n\0\0\x000.25:0:cat"


def twice():
    made = message(fp32_contents=[1, 2])
    made.inputs.append(made.inputs[0])
    return made


def output_twice():
    made = message(fp32_contents=[1, 2])
    made.outputs.add(name="y")
    made.outputs.add(name="y")
    return made


def parameter(key, of="request", **value):
    made = message(fp32_contents=[1, 2])
    if of == "output":
        made.outputs.add(name="y")
    at = {"request": made, "input": made.inputs[0], "output": (*made.outputs, made)[0]}
    ((kind, content),) = value.items()
    setattr(at[of].parameters[key], kind, content)
    return made


def two_raw():
    made = message(raw=bytes(8))
    made.raw_input_contents.append(bytes(8))
    return made


# Each is a message, and words that the error has.
REFUSED = {
    "no inputs": (ModelInferRequest(model_name="m"), "'inputs' is empty"),
    "no name": (message(name="", fp32_contents=[1, 2]), "'name' of input 1 must be"),
    "an input twice": (twice(), "input 'x' is there twice"),
    "an output twice": (output_twice(), "output 'y' is there twice"),
    "an output that the model lacks": (
        parameter("classification", "output", int64_param=1),
        "no output 'y'",
    ),
    "an input that the model lacks": (message(name="z", raw=bytes(8)), "'z'"),
    "a datatype": (message("FP99", raw=bytes(8)), "datatype of input 'x' is 'FP99'"),
    "small letters": (message("fp32", fp32_contents=[1, 2]), "is 'fp32'; it must be"),
    "a datatype of another model": (
        message("INT32", raw=bytes(8)),
        "is INT32 and the model takes FP32",
    ),
    "a datatype without a field": (
        message("FP16", fp32_contents=[1, 2]),
        "is FP16, which only 'raw_input_contents' can hold",
    ),
    "a number too small": (message("INT8", int_contents=[1, -129]), "beyond INT8"),
    "a number too large": (message("UINT16", uint_contents=[1, 65536]), "beyond UINT"),
    "the field of another type": (
        message(int_contents=[1, 2]),
        "values stand in 'fp32_contents', and it has 'int_contents'",
    ),
    "two fields": (
        message(int_contents=[1], fp32_contents=[1, 2]),
        "and it has 'int_contents'",
    ),
    "no values": (message(), "has 0 values, and its shape [1, 2] takes 2"),
    "a value too many": (message(fp32_contents=[1, 2, 3]), "has 3 values"),
    "bytes that are missing": (message(raw=bytes(7)), "has 7 bytes of binary data"),
    "bytes too many": (message(raw=bytes(9)), "has 9 bytes of binary data"),
    "raw bytes and values": (message(raw=bytes(8), fp32_contents=[1, 2]), "has both"),
    "more raw tensors than inputs": (
        two_raw(),
        "'raw_input_contents' has 2 tensors, and 'inputs' has 1",
    ),
    "a negative side": (message(shape=(-1, 2), raw=bytes(8)), "has a negative number"),
    "a negative side of values": (
        message(shape=(-1, 2), fp32_contents=[1, 2]),
        "has a negative number",
    ),
    "a huge shape": (message(shape=(2**62, 4), raw=bytes(8)), "larger than any array"),
    "many axes": (message(shape=(1,) * 10_000, raw=bytes(8)), "more than 32 axes"),
    "an element beyond the end": (
        message("BYTES", (1,), raw=b"\xff\xff\xff\xffa"),
        "beyond the end",
    ),
    "a rest after the elements": (
        message("BYTES", (1,), raw=b"\1\0\0\0ab"),
        "unexpected additional input data",
    ),
    "a BOOL that is none": (message("BOOL", raw=b"\1\2"), "neither 0 nor 1"),
    "a text as a timeout": (
        parameter("timeout", string_param="soon"),
        "'timeout' must be a number",
    ),
    "a negative timeout": (parameter("timeout", int64_param=-1), "'timeout' must be"),
    "no classes": (
        parameter("classification", "output", int64_param=0),
        "'classification' of output 'y'",
    ),
    "shared memory": (
        parameter("shared_memory_region", "input", string_param="r"),
        "names shared memory",
    ),
    "shared memory of an output": (
        parameter("shared_memory_region", "output", string_param="r"),
        "names shared memory",
    ),
}


@pytest.mark.parametrize(("made", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(made, words):
    datatype = made.inputs[0].datatype if made.inputs else "FP32"
    its = model(datatype if datatype in ("BOOL", "BYTES") else "FP32", ("z",))
    with pytest.raises((InvalidInput, ShapeError)) as raised:
        read_infer(made).arrays_for(its)
    assert words in str(raised.value)


def test_bytes_that_are_no_message():
    with pytest.raises(DomainError, match=r"no protobuf message inference\.ModelInfer"):
        read_message(ModelInferRequest, b"\xff\xff")
