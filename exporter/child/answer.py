"""Read the answer of a child process as data, even if a hostile model rules the child.

Pickle calls everything that the bytes name. Here the bytes may name only our own
classes of data, our own errors, and arrays, so a child under foreign control cannot
reach beyond its walls by its answer. numpy does not build the arrays either, because it
takes some bytes for the addresses of objects.
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
# The codes of numbers, texts and objects. No dtype with fields is allowed, because a
# pickled state could set the fields' kinds.
_CODES = re.compile(r"[biufcSUO][0-9]{1,9}")


def read_answer(answer: bytes) -> Any:
    """Read an answer.

    Raises:
        pickle.UnpicklingError: the answer is not our own data.
    """
    try:
        return _Unpickler(io.BytesIO(answer)).load()
    except pickle.UnpicklingError:
        raise
    # pickle's documentation says that damaged bytes can raise nearly any exception.
    except Exception as ex:
        raise pickle.UnpicklingError("it is damaged") from ex


# pickle's unpickler in C builds objects without asking these methods.
class _Unpickler(pickle._Unpickler):
    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _FOREIGN:
            return _FOREIGN[module, name]
        # The name is looked up only in modules that are imported already, because
        # importing a module runs its code.
        found = getattr(sys.modules.get(module), "__dict__", {}).get(name)
        is_ours = module.partition(".")[0] in _OURS and isinstance(found, type)
        if is_ours and (dataclasses.is_dataclass(found) or _is_error(found)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no data")

    def load_build(self) -> None:
        """Set the state of an object after the state was checked."""
        made, state = self.stack[-2:]
        if isinstance(made, np.dtype):
            # The dtype is complete without its state. A state could only change it.
            self.stack.pop()
            if state[1] == ">":
                raise pickle.UnpicklingError("an array has another byte order")
            return
        if isinstance(made, np.ndarray):
            _, shape, dtype, _, content = state
            _check(shape, dtype)
            if type(content) is not (list if dtype.hasobject else bytes):
                raise pickle.UnpicklingError("an array has content of another type")
        super().load_build()  # type: ignore[misc]

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: load_build,
    }


def _dtype(code: str, *_: object) -> np.dtype[Any]:
    if not _CODES.fullmatch(code):
        raise pickle.UnpicklingError("a dtype is neither of numbers nor of texts")
    return np.dtype(code)


def _array(*_: object) -> NDArray[Any]:
    """Return an empty array that gets its shape and content next."""
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


# These stand in for numpy's own functions, some of which take bytes for anything.
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
