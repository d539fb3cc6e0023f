"""One row of a model's output -> scores that JSON can carry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BackendError


def postprocess(row: NDArray[Any]) -> NDArray[Any]:
    """Check one item's output, ``(num_classes,)`` or any shape without N.

    Raises:
        BackendError: it holds NaN or infinity, which JSON has no word for.
    """
    if row.dtype.kind == "f" and not np.isfinite(row).all():
        raise BackendError(
            "the model answered NaN or infinity on this input: its weights or the"
            " input's range are wrong"
        )
    # One row of a batch may be a strided view, which JSON writers do not take.
    return np.ascontiguousarray(row)
