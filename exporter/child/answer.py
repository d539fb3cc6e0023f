"""The answer of a child process: it is read as data, even if a model rules the child.

Pickle calls what the bytes name. Here they may name classes of data, and errors, that
are our own, and arrays: a child that is no longer its own master cannot reach beyond
its walls by its answer. Nor is numpy asked to make arrays of what bytes say: it takes
some for the addresses of objects.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
import re
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bundle.errors import DomainError

_OURS = ("bundle", "exporter", "runtime")
# Of numbers, texts and objects: none has fields, whose kinds a state may set.
_CODES = re.compile(r"[biufcSUO][0-9]{1,9}")


def read_answer(answer: bytes) -> Any:
    """Read an answer.

    Raises:
        pickle.UnpicklingError: it is no data of ours.
    """
    try:
        return _Unpickler(io.BytesIO(answer)).load()
    except pickle.UnpicklingError:
        raise
    # As pickle's own documentation has it: damaged bytes raise nearly anything.
    except Exception as ex:
        raise pickle.UnpicklingError("it is damaged") from ex


# The one in C builds what it was told to, and asks nobody.
class _Unpickler(pickle._Unpickler):
    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _FOREIGN:
            return _FOREIGN[module, name]
        # Looked up in modules that are here already: to import one is to run it.
        found = getattr(sys.modules.get(module), "__dict__", {}).get(name)
        is_ours = module.partition(".")[0] in _OURS and isinstance(found, type)
        if is_ours and (dataclasses.is_dataclass(found) or _is_error(found)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no data")

    def load_build(self) -> None:
        """Give what was made its state, once that was looked at."""
        made, state = self.stack[-2:]
        if isinstance(made, np.dtype):
            # Whole as it is: a state may only say that it is another.
            self.stack.pop()
            if state[1] == ">":
                raise pickle.UnpicklingError("numbers of another machine")
            return
        if isinstance(made, np.ndarray):
            _, shape, dtype, _, content = state
            _check(shape, dtype)
            if type(content) is not (list if dtype.hasobject else bytes):
                raise pickle.UnpicklingError("an array of something else")
        super().load_build()  # type: ignore[misc]

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: load_build,
    }


def _dtype(code: str, *_: object) -> np.dtype[Any]:
    if not _CODES.fullmatch(code):
        raise pickle.UnpicklingError("a dtype of no numbers and no texts")
    return np.dtype(code)


def _array(*_: object) -> NDArray[Any]:
    """One that is given its shape and content next."""
    return np.empty(0, np.int8)


def _array_of(content: Any, dtype: Any, shape: Any, order: str) -> NDArray[Any]:
    _check(shape, dtype)
    return np.frombuffer(content, dtype).reshape(
        shape, order="F" if order == "F" else "C"
    )


def _number(dtype: Any, content: bytes) -> Any:
    _check((), dtype)
    return np.frombuffer(content, dtype)[0]


def _check(shape: Any, dtype: Any) -> None:
    if not isinstance(dtype, np.dtype) or type(shape) is not tuple:
        raise pickle.UnpicklingError("no array has such a shape or dtype")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise pickle.UnpicklingError("an axis has no such length")


# In the place of numpy's own, of which some take bytes for anything.
_FOREIGN = {
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): "an array's class",
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "scalar"): _number,
    ("numpy._core.numeric", "_frombuffer"): _array_of,
    ("pathlib", "PosixPath"): Path,
    ("pathlib._local", "PosixPath"): Path,
}


def _is_error(found: Any) -> bool:
    return issubclass(found, DomainError)
