"""From a model's output to numbers and texts that JSON can carry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BackendError


def postprocess(output: NDArray[Any]) -> NDArray[Any]:
    """Check one output.

    Args:
        output: an array of any shape and dtype.

    Returns:
        The same array, contiguous; strings become an array of ``str``, dtype object.

    Raises:
        BackendError: it holds NaN or infinity, which JSON cannot express, or bytes that
            are not a text.
    """
    # TensorFlow answers a single string as bytes.
    # Some rows of a batch may be a strided view, which JSON writers do not take.
    output = np.asarray(output, order="C")
    if output.dtype.kind in "OS":
        return to_texts(output)
    if not is_finite(output):
        raise BackendError(
            "the model answered NaN or infinity on this input: its weights or the"
            " input's range are wrong"
        )
    return output


def is_finite(output: NDArray[Any]) -> bool:
    """Tell whether an array of any shape and numeric dtype has no NaN or infinity."""
    # The bytes of bools are 0 and 1. ``all`` takes three times as long.
    return output.dtype.kind != "f" or b"\0" not in np.isfinite(output).tobytes()


def to_texts(output: NDArray[Any]) -> NDArray[Any]:
    """Read strings of any shape as an array of ``str``, dtype object.

    Raises:
        BackendError: some are bytes that are not a text.
    """
    texts = np.empty(output.size, object)
    texts[:] = [_text(value) for value in output.ravel().tolist()]
    return texts.reshape(output.shape)


def _text(value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError as ex:
        raise BackendError("the model answered a string that is not UTF-8") from ex
