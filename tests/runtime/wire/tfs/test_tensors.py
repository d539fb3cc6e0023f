"""TensorFlow's tensors: ours and TensorFlow's own agree, and damage is refused."""

import numpy as np
import pytest

from bundle.errors import DomainError, ShapeError
from runtime.errors import InvalidInput
from runtime.programs.tensorflow_pb2 import DataType, TensorProto
from runtime.wire.tfs.tensors import read_tensor, write_tensor

DTYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64"),
    *("int8", "int16", "int32", "int64", "float16", "float32", "float64"),
)


def proto(dtype, *shape, **fields):
    message = TensorProto(dtype=dtype, **fields)
    for side in shape:
        message.tensor_shape.dim.add(size=side)
    return message


def arrays_of(dtype):
    values = np.array([0, 1, 2, 100, 5, 6]).astype(dtype)
    return [values, values.reshape(1, 2, 3), values[3], values[:0].reshape(0, 3)]


def test_the_bytes_of_a_tensor_on_the_wire():
    # dtype 1, a shape of one axis of 2, and two floats packed in field 5.
    data = b"\x08\x01\x12\x04\x12\x02\x08\x02\x2a\x08\x00\x00\x80\x3f\x00\x00\x00\x40"
    found = read_tensor("x", TensorProto.FromString(data))
    assert (found.tolist(), found.dtype) == ([1, 2], np.float32)
    message = TensorProto()
    write_tensor("x", np.array([1, 2], np.float32), message)
    assert message.SerializeToString() == data


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_written_is_read(dtype):
    for array in arrays_of(dtype):
        message = TensorProto()
        write_tensor("x", array, message)
        found = read_tensor("x", TensorProto.FromString(message.SerializeToString()))
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found, array)


@pytest.mark.tensorflow
def test_tensorflow_reads_and_writes_the_same():
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto as Theirs

    texts = np.array([[b"a", b"\xff\x00"], [b"", "é".encode()]], object)
    for array in [texts, *(one for dtype in DTYPES for one in arrays_of(dtype))]:
        theirs = tf.make_tensor_proto(array).SerializeToString()
        found = read_tensor("x", TensorProto.FromString(theirs))
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found, array)
        message = TensorProto()
        write_tensor("x", array, message)
        again = tf.make_ndarray(Theirs.FromString(message.SerializeToString()))
        assert (again.dtype, again.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(again, array)


def test_the_last_value_stands_for_all_that_follow():
    floats = proto("DT_FLOAT", 2, 2, float_val=[1, 2])
    assert read_tensor("x", floats).tolist() == [[1, 2], [2, 2]]
    assert read_tensor("x", proto("DT_INT8", 2)).tolist() == [0, 0]
    assert read_tensor("x", proto("DT_STRING", 2)).tolist() == [b"", b""]
    half = proto("DT_HALF", 2, half_val=[0x3C00])
    assert read_tensor("x", half).tolist() == [1, 1]


def test_texts():
    message = TensorProto()
    write_tensor("x", np.array(["é", b"\xff"], object), message)
    assert list(message.string_val) == ["é".encode(), b"\xff"]
    assert message.dtype == DataType.DT_STRING
    # numpy has texts of a fixed length, too.
    write_tensor("x", np.array(["ab"]), fixed := TensorProto())
    assert list(fixed.string_val) == [b"ab"]


REFUSED = {
    "no type": (proto("DT_INVALID", 1), "'x' is DT_INVALID; it must be one of DT_BOOL"),
    "a type of quantized numbers": (proto("DT_QINT8", 1), "is DT_QINT8"),
    "an unknown type": (proto(999, 1), "is 999; it must"),
    "no shape": (
        TensorProto(dtype="DT_FLOAT", tensor_shape={"unknown_rank": True}),
        "tells no shape",
    ),
    "a negative side": (proto("DT_FLOAT", -1), "has a negative number"),
    "many axes": (proto("DT_FLOAT", *[1] * 33), "more than 32 axes"),
    "too few bytes": (
        proto("DT_FLOAT", 2, tensor_content=b"1234567"),
        r"has 7 bytes of binary data, and its shape \[2\] of DT_FLOAT takes 8",
    ),
    "a huge shape": (
        proto("DT_FLOAT", 1 << 62, 4, tensor_content=b"1234"),
        "larger than any array",
    ),
    "a huge side beside none": (
        proto("DT_FLOAT", 0, 1 << 62),
        "larger than any array",
    ),
    "the largest side beside none": (
        proto("DT_STRING", (1 << 63) - 1, 0),
        "larger than any array",
    ),
    "a huge shape of one value": (
        proto("DT_FLOAT", 1 << 40, float_val=[1]),
        "has 1 values",
    ),
    "a huge shape of nothing": (
        proto("DT_INT64", 1 << 62, 1 << 62),
        "larger than any array",
    ),
    "too many values": (proto("DT_FLOAT", 1, float_val=[1, 2]), "has 2 values"),
    "another field": (
        proto("DT_FLOAT", 1, double_val=[1]),
        "stand in 'float_val', and it has 'double_val'",
    ),
    "a number beyond its type": (proto("DT_INT8", 1, int_val=[200]), "beyond DT_INT8"),
    "a negative number": (proto("DT_UINT8", 1, int_val=[-1]), "beyond DT_UINT8"),
    "a half of many bits": (
        proto("DT_HALF", 1, half_val=[1 << 16]),
        "beyond DT_HALF",
    ),
    "a bool of many": (proto("DT_BOOL", 1, tensor_content=b"\x02"), "neither 0 nor 1"),
    "texts as bytes": (
        proto("DT_STRING", 1, tensor_content=b"a"),
        "stand in 'string_val'",
    ),
}


@pytest.mark.parametrize(("message", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(message, words):
    with pytest.raises((InvalidInput, ShapeError), match=words):
        read_tensor("x", message)


def test_a_type_without_a_field_is_not_written():
    with pytest.raises(DomainError, match="is complex64, which no client could read"):
        write_tensor("y", np.array([1j], np.complex64), TensorProto())
