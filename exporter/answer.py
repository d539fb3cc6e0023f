"""The answer of a child process: it is read as data, even if a model rules the child.

Pickle calls what the bytes name. Here they may name classes of data, and errors, that
are our own, and arrays: a child that is no longer its own master cannot reach beyond
its walls by its answer.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
import sys
from typing import Any

from bundle.errors import DomainError

_OURS = ("bundle", "exporter", "runtime")
_FOREIGN = frozenset(
    {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("pathlib", "PosixPath"),
        ("pathlib._local", "PosixPath"),
    }
)


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


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _FOREIGN:
            return super().find_class(module, name)
        # Looked up in modules that are here already: to import one is to run it.
        found = getattr(sys.modules.get(module), "__dict__", {}).get(name)
        is_ours = module.partition(".")[0] in _OURS and isinstance(found, type)
        if is_ours and (dataclasses.is_dataclass(found) or _is_error(found)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no data")


def _is_error(found: Any) -> bool:
    return issubclass(found, DomainError)
