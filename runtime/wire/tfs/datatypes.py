"""The names that TensorFlow gives to the types of numbers, and numpy's dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

STRING = "DT_STRING"

_NAMES: dict[str, str] = {
    "bool": "DT_BOOL",
    "uint8": "DT_UINT8",
    "uint16": "DT_UINT16",
    "uint32": "DT_UINT32",
    "uint64": "DT_UINT64",
    "int8": "DT_INT8",
    "int16": "DT_INT16",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "float16": "DT_HALF",
    "bfloat16": "DT_BFLOAT16",
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "complex64": "DT_COMPLEX64",
    "complex128": "DT_COMPLEX128",
}


def datatype_of(dtype: np.dtype[Any]) -> str:
    """Return TensorFlow's name of a dtype; texts of any kind are ``DT_STRING``.

    A dtype that TensorFlow lacks is ``DT_INVALID``.
    """
    if dtype.kind in "OSU":
        return STRING
    return _NAMES.get(dtype.name, "DT_INVALID")


def word_of(dtype: np.dtype[Any]) -> str:
    """Return the word for a dtype in TensorFlow's sentences, such as ``float``."""
    return datatype_of(dtype).removeprefix("DT_").lower()
