"""The file formats of data sets: each file here reads one format into ``Arrays``.

A reader knows only its format. ``trainer.data`` checks the arrays, once for all
formats.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Arrays(NamedTuple):
    """A data set as its file holds it, not yet checked.

    Shapes and dtypes are those of the file; ``trainer.data`` brings them to one form.

    Attributes:
        x_train: ``(N, …)`` images to train on, in any dtype.
        y_train: ``(N,)`` class numbers or names, or ``(N, K)`` one-hot rows, in any
            dtype.
        x_test: ``(N', …)`` images to test on; None if the data set has no test part.
        y_test: the classes of ``x_test``, like ``y_train``; None without ``x_test``.
        labels: class names, by class number; None if the format has none.
        notes: sentences about changes that brought the data into this form.
    """

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any] | None
    y_test: NDArray[Any] | None
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
