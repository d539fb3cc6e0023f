"""mnist.pkl.gz of both kinds is read; pickles that hold more than data are refused."""

from __future__ import annotations

import contextlib
import gzip
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.data import DataSet, load_dataset
from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.pickled import read_pickle


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, 1))
    return path


def _pairs(few: Arrays) -> Any:
    return (few.x_train, few.y_train), (few.x_test, few.y_test)


def _assert_is(few: Arrays, data: DataSet) -> None:
    np.testing.assert_array_equal(data.x_train[..., 0], few.x_train)
    np.testing.assert_array_equal(data.y_train, few.y_train)
    np.testing.assert_array_equal(data.x_test[..., 0], few.x_test)
    np.testing.assert_array_equal(data.y_test, few.y_test)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_keras_pickle_of_every_protocol(
    few: Arrays, tmp_path: Path, protocol: int
) -> None:
    data = pickle.dumps(_pairs(few), protocol)
    _assert_is(few, load_dataset(_write(tmp_path / "mnist.pkl.gz", data)))


def test_pickle_without_gzip_is_read(few: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "mnist.pkl"
    path.write_bytes(pickle.dumps(_pairs(few)))
    _assert_is(few, load_dataset(path))


def _text(data: bytes) -> bytes:
    """Return a Python 2 str in protocols 1 and 2."""
    if len(data) < 256:
        return b"U" + bytes([len(data)]) + data
    return b"T" + struct.pack("<i", len(data)) + data


def _text_0(data: bytes) -> bytes:
    """Return a Python 2 str in protocol 0: its repr, which is what Python 2 wrote."""
    return b"S" + repr(data)[1:].encode("ascii") + b"\n"


def _python_2_array(array: NDArray[Any], text: Callable[[bytes], bytes]) -> bytes:
    """Return an array as Python 2.7 and numpy 1 pickled it.

    The pickle is written by hand after numpy's ndarray.__reduce__ and PEP 307, because
    no Python 2 is at hand. The names are old, and all bytes are str.
    """
    shape = b"".join(b"I%d\n" % n for n in array.shape)
    order = b"<" if array.dtype.itemsize > 1 else b"|"
    dtype = (
        b"cnumpy\ndtype\n("
        + text(array.dtype.str[1:].encode())
        + b"I0\nI1\ntR(I3\n"
        + text(order)
        + b"NNNI-1\nI-1\nI0\ntb"
    )
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt"
        + text(b"b")
        + b"tR(I1\n("
        + shape
        + b"t"
        + dtype
        + b"I00\n"
        + text(array.tobytes())
        + b"tb"
    )


@pytest.mark.parametrize(
    ("start", "text"), [(b"\x80\x02", _text), (b"", _text), (b"", _text_0)]
)
def test_keras_pickle_written_by_python_2(
    few: Arrays, tmp_path: Path, start: bytes, text: Callable[[bytes], bytes]
) -> None:
    arrays = [_python_2_array(array, text) for array in list(few)[:4]]
    data = start + b"((%b%bt(%b%btt." % tuple(arrays)
    _assert_is(few, load_dataset(_write(tmp_path / "mnist.pkl.gz", data)))


def test_classic_pickle_of_three_pairs(few: Arrays, tmp_path: Path) -> None:
    def classic(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return (images.reshape(-1, 784) / np.float32(256)).astype(np.float32)

    labels = few.y_train.astype(np.int64)
    arrays = [
        *(classic(few.x_train[:400]), labels[:400]),
        *(classic(few.x_train[400:]), labels[400:]),
        *(classic(few.x_test), few.y_test.astype(np.int64)),
    ]
    rows = [_python_2_array(array, _text) for array in arrays]
    data = b"\x80\x02((%b%bt(%b%bt(%b%btt." % tuple(rows)
    # The second pair, for validation, joins the first.
    _assert_is(few, load_dataset(_write(tmp_path / "mnist.pkl.gz", data)))


def test_big_endian_and_fortran_arrays_are_read(few: Arrays, tmp_path: Path) -> None:
    pairs = (
        (np.asfortranarray(few.x_train), few.y_train.astype(">i4")),
        (few.x_test, few.y_test.astype(">i8")),
    )
    for protocol in (2, 5):
        path = _write(tmp_path / "mnist.pkl.gz", pickle.dumps(pairs, protocol))
        _assert_is(few, load_dataset(path))


class _Runs:
    """An object that makes a file when an ordinary unpickler reads it."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._trace),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_hostile_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "ran"
    data = pickle.dumps(_Runs(trace), protocol)
    with pytest.raises(DataError, match="no part of it was run"):
        load_dataset(_write(tmp_path / "mnist.pkl.gz", data))
    assert not trace.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(Vtouch ran\ntR.",
        b"(S'touch ran'\nios\nsystem\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.sum\x93.",
        b"\x80\x04\x8c\x0cnumpy.f2py.x\x8c\x07ndarray\x93.",
        b"c_codecs\nencode\n(Va\nVrot13\ntR.",
        b"cnumpy\ndtype\n(VO8\nI0\nI1\ntR.",
        b"cnumpy\ndtype\n(Vf4,O\nI0\nI1\ntR.",
        # Dictionaries are refused: keys of nested tuples take forever to hash.
        b"\x80\x02}.",
        # This place of the memo would take 32 GiB.
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"Np99999999999\n.",
        b"S'\\m'\n.",
        b"cnu\\mpy\nndarray\n.",
        # These bytes would be reserved before it shows that they are missing.
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".",
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
        b"(" * 20_000 + b".",
        b"\x80\x02(NNt.",
        b"\x80\x02]a.",
        b"\x80\x02N.",
        b"(((",
    ],
)
def test_pickle_of_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError):
        load_dataset(_write(tmp_path / "mnist.pkl.gz", data))


def test_object_arrays_are_refused(tmp_path: Path) -> None:
    objects = np.array([1, "a"], dtype=object)
    data = pickle.dumps(((objects, objects), (objects, objects)))
    with pytest.raises(DataError, match="pickle of more than numpy arrays"):
        load_dataset(_write(tmp_path / "mnist.pkl.gz", data))


@pytest.mark.parametrize("cut", [1, 100, 300_000])
def test_truncated_pickle_is_said_to_be(few: Arrays, tmp_path: Path, cut: int) -> None:
    data = pickle.dumps(_pairs(few), 2)[:-cut]
    with pytest.raises(DataError, match="cut short"):
        load_dataset(_write(tmp_path / "mnist.pkl.gz", data))


def test_truncated_gzip_is_said_to_be(few: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps(_pairs(few)), 1)[:-9])
    with pytest.raises(DataError, match="cut short"):
        load_dataset(path)


def test_gzip_bomb_is_refused(few: Arrays, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unpacks to more than 10000 bytes"):
        read_pickle(
            _write(tmp_path / "mnist.pkl.gz", pickle.dumps(_pairs(few))),
            max_bytes=10_000,
        )


@pytest.mark.parametrize("shape", [(4, 100), (4,), (4, 12, 12)])
def test_three_pairs_that_do_not_fit_are_refused(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    labels = np.arange(4, dtype=np.uint8)
    pair, other = (np.zeros((4, 144), "u1"), labels), (np.zeros(shape, "u1"), labels)
    data = pickle.dumps((pair, other, pair), 2)
    with pytest.raises(DataError, match="of the first two do not fit together"):
        load_dataset(_write(tmp_path / "mnist.pkl.gz", data))


_TINY = pickle.dumps(
    ((np.zeros((2, 4), "u1"), np.arange(2)), (np.zeros((2, 4), "u1"), np.arange(2))), 2
)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(_TINY) - 1), st.integers(0, 255))
def test_damage_is_a_data_error_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    data = bytearray(_TINY)
    data[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(data)
    with contextlib.suppress(DataError):
        read_pickle(path)
