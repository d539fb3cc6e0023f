"""A reader of ``mnist.pkl.gz``, a pickle of numpy arrays.

Two files of that name are common. Keras's file holds ``((x_train, y_train), (x_test,
y_test))``, uint8, written by Python 2. The older file of deeplearning.net holds three
pairs (train, valid, test) of float32 rows.

A pickle is a program. This reader runs no foreign code: it allows only the instructions
that plain arrays need, calls no function of numpy's that the pickle names, and takes
the bytes of each array as they stand in the file.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import MAX_BYTES, read_content

# Pickles of arrays in tuples and lists need only these instructions, in protocols 0 to
# 5. Dictionaries and sets are not allowed: the hash of nested tuples can take forever.
_ADMITTED = frozenset(
    (
        *("PROTO", "FRAME", "STOP", "MARK", "GLOBAL", "STACK_GLOBAL", "REDUCE"),
        *("BUILD", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("EMPTY_LIST", "LIST", "APPEND", "APPENDS", "NONE", "NEWTRUE", "NEWFALSE"),
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
    )
)
_OPCODES = {op.code.encode("latin-1"): op for op in pickletools.opcodes}

# numpy pickles a dtype under such a name: u1, f4, i8.
_NUMBER = re.compile(r"[uif][1248]")

# Six arrays take about 150 instructions. The limit also holds for numbers of the memo,
# because pickle makes the memo as long as its largest number.
_MAX_INSTRUCTIONS = 10_000


def read_pickle(path: Path, max_bytes: int = MAX_BYTES) -> Arrays:
    """Read two or three pairs of arrays; the second of three pairs joins the first.

    Args:
        path: the file.
        max_bytes: the most bytes of it, unpacked.

    Returns:
        The arrays with the shapes and dtypes of the file.

    Raises:
        DataError: the file is damaged or cut short, or holds anything but pairs of
            arrays.
    """
    content = read_content(path, max_bytes)
    try:
        with warnings.catch_warnings():
            # On a damaged text Python raises an error, and also warns of wrong escapes.
            warnings.simplefilter("ignore", DeprecationWarning)
            _check_instructions(content)
            # Python 2 wrote the arrays' bytes as text.
            pairs = _ArraysUnpickler(io.BytesIO(content), encoding="bytes").load()
        parts = [
            (images.to_numpy(), labels.to_numpy())
            for images, labels in _checked_pairs(pairs)
        ]
    except _NotAdmitted as ex:
        raise DataError(
            f"{path} is a pickle of more than numpy arrays ({ex}); no part of it was"
            " run; give one that holds pairs of arrays"
        ) from ex
    # pickle raises many kinds of errors on damaged data.
    except (
        pickle.UnpicklingError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        EOFError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as ex:
        raise DataError(
            f"{path} is not a whole pickle of numpy arrays: it is damaged, cut short or"
            " something else; fetch it again"
        ) from ex
    (x_train, y_train), *valid, (x_test, y_test) = parts
    try:
        for x_valid, y_valid in valid:
            x_train = np.concatenate([x_train, x_valid])
            y_train = np.concatenate([y_train, y_valid])
    except ValueError as ex:
        raise DataError(
            f"{path} holds three pairs of arrays, and the shapes of the first two do"
            " not fit together; give one whose images are all of one size"
        ) from ex
    return Arrays(x_train, y_train, x_test, y_test)


class _NotAdmitted(Exception):
    """The pickle needs something that a plain array does not need."""


def _check_instructions(content: bytes) -> None:
    """Walk through the pickle without running it.

    The walk checks every length in the file, so that unpickling reserves no more memory
    than the file has bytes.
    """
    stream = io.BytesIO(content)
    for _ in range(_MAX_INSTRUCTIONS):
        op = _OPCODES.get(stream.read(1))
        if op is None:
            raise ValueError("no pickle instruction")
        if op.name not in _ADMITTED:
            raise _NotAdmitted(f"instruction {op.name}")
        if op.name == "STOP":
            return
        if op.name == "STRING":
            # pickletools would read it as ASCII, but Python 2 wrote any bytes here.
            stream.readline()
            continue
        argument: Any = op.arg.reader(stream) if op.arg else None
        if op.name in ("PUT", "LONG_BINPUT") and argument > _MAX_INSTRUCTIONS:
            raise ValueError("a memo number beyond all instructions")
    raise _NotAdmitted(f"over {_MAX_INSTRUCTIONS} instructions")


class _DType:
    """Replaces ``numpy.dtype`` during unpickling."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _NUMBER.fullmatch(text):
            raise _NotAdmitted("an array of something else than numbers")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        if order in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """Replaces ``numpy.ndarray`` during unpickling."""

    def __init__(self) -> None:
        self._array: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *_, shape, dtype, fortran, content = state
        self.fill(content, dtype, shape, "F" if fortran else "C")

    def fill(self, content: object, dtype: object, shape: object, order: str) -> None:
        if not isinstance(dtype, _DType) or not isinstance(content, bytes | bytearray):
            raise _NotAdmitted("an array of something else than numbers")
        if not isinstance(shape, tuple) or not all(isinstance(n, int) for n in shape):
            raise ValueError("no shape")
        flat = np.frombuffer(content, dtype.dtype)
        self._array = flat.reshape(shape, order="F" if order == "F" else "C")

    def to_numpy(self) -> NDArray[Any]:
        if self._array is None:
            raise ValueError("an array without content")
        return self._array


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    """Make an empty array, which its state fills (protocols 0 to 4)."""
    return _Array()


def _frombuffer(content: object, dtype: object, shape: object, order: str) -> _Array:
    """Make an array from its bytes (protocol 5)."""
    array = _Array()
    array.fill(content, dtype, shape, order)
    return array


def _encode(text: str, encoding: str | bytes) -> bytes:
    """Encode a text to bytes; Python 3 pickles bytes so in protocols 0 to 2."""
    if encoding not in ("latin1", b"latin1"):
        raise _NotAdmitted("an encoding")
    return text.encode("latin-1")


_ADMITTED_NAMES: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
    # numpy 2 renamed core to _core.
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
}


class _ArraysUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        try:
            return _ADMITTED_NAMES[module, name]
        except KeyError:
            raise _NotAdmitted(f"it names {module}.{name}"[:200]) from None


def _checked_pairs(content: object) -> list[tuple[_Array, _Array]]:
    if not isinstance(content, tuple | list) or len(content) not in (2, 3):
        raise _NotAdmitted("it does not hold two or three pairs")
    pairs = []
    for pair in content:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise _NotAdmitted("it does not hold two or three pairs")
        images, labels = pair
        if not isinstance(images, _Array) or not isinstance(labels, _Array):
            raise _NotAdmitted("it does not hold pairs of arrays")
        pairs.append((images, labels))
    return pairs
