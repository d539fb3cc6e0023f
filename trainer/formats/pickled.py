"""``mnist.pkl.gz``: a pickle of numpy arrays, as two files of that name hold it.

Keras's: ``((x_train, y_train), (x_test, y_test))``, uint8, written by Python 2.
The older one of deeplearning.net: three pairs (train, valid, test) of float32 rows.

A pickle is a program. This reader runs none: it admits the instructions that plain
arrays need, calls nothing of numpy's, and takes the bytes of each array as they stand
in the file.
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
from trainer.formats.content import read_content

# What pickles of arrays in tuples and lists are made of, in protocols 0 to 5. No
# dictionaries and sets: their keys are hashed, and nested tuples make that endless.
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

# As numpy pickles a dtype: u1, f4, i8.
_NUMBER = re.compile(r"[uif][1248]")

# Six arrays take some 150 instructions. It bounds the memo too, which pickle makes as
# long as the largest number put into it.
_MAX_INSTRUCTIONS = 10_000


def read_pickle(path: Path) -> Arrays:
    """Read two or three pairs of arrays; of three, the second joins the first.

    Raises:
        DataError: it is damaged, cut short, or holds anything but arrays in pairs.
    """
    content = read_content(path)
    try:
        with warnings.catch_warnings():
            # A damaged text makes Python warn of wrong escapes, besides the error.
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
            f"{path} is a pickle of more than numpy arrays ({ex}); nothing of it was"
            " run, give one that holds pairs of arrays"
        ) from ex
    # The many ways in which pickle trips over damaged data.
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
    """The pickle wants something that an array does not need."""


def _check_instructions(content: bytes) -> None:
    """Walk through the pickle without running it.

    After this every length in it is true, so unpickling reserves no more memory than
    the file has bytes.
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
            # pickletools reads it as ASCII, and Python 2 puts any bytes there.
            stream.readline()
            continue
        argument: Any = op.arg.reader(stream) if op.arg else None
        if op.name in ("PUT", "LONG_BINPUT") and argument > _MAX_INSTRUCTIONS:
            raise ValueError("a memo number beyond all instructions")
    raise _NotAdmitted(f"over {_MAX_INSTRUCTIONS} instructions")


class _DType:
    """Stands in for ``numpy.dtype`` while unpickling."""

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
    """Stands in for ``numpy.ndarray`` while unpickling."""

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
    """Protocols 0 to 4: an empty array, filled by its state."""
    return _Array()


def _frombuffer(content: object, dtype: object, shape: object, order: str) -> _Array:
    """Protocol 5."""
    array = _Array()
    array.fill(content, dtype, shape, order)
    return array


def _encode(text: str, encoding: str | bytes) -> bytes:
    """Python 3 writes bytes so in the protocols that Python 2 reads."""
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
