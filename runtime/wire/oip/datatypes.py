"""The names that the protocol gives to the types of numbers, and numpy's dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.errors import InvalidInput

# BYTES are texts or other bytes of any length; numpy has them as objects.
BYTES = "BYTES"

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    BYTES: np.dtype(object),
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(dtype: np.dtype[Any]) -> str:
    """Return the protocol's name of a dtype; texts of any kind are ``BYTES``.

    A dtype that the protocol lacks, such as a complex one, keeps numpy's name.
    """
    name = _NAMES.get(dtype)
    if name is not None:
        return name
    # numpy takes 2 us to make a dtype's name.
    return BYTES if dtype.kind in "OSU" else dtype.name.upper()


def is_known(dtype: np.dtype[Any]) -> bool:
    """Tell whether the protocol has a name for a dtype."""
    return dtype.kind in "OSU" or dtype in _NAMES


def check_datatype(what: str, datatype: object) -> str:
    """Check the datatype that a request names, and return it.

    Args:
        what: the name of the input in an error.
        datatype: a value that ``orjson.loads`` gave.

    Raises:
        InvalidInput: the protocol has no such datatype; the case of letters counts.
    """
    if not isinstance(datatype, str) or datatype not in DTYPES:
        shown = repr(datatype[:64]) if isinstance(datatype, str) else "no text"
        raise InvalidInput(
            f"the datatype of {what} is {shown}; it must be one of {', '.join(DTYPES)}"
        )
    return datatype
