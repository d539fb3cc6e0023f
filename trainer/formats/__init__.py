"""The file formats that data sets come in: one a file, each read into ``Arrays``.

A reader knows its format alone. What the arrays must be like is not asked here but in
``trainer.data``, once for all formats.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Arrays(NamedTuple):
    """A data set as its file holds it, not yet checked.

    Attributes:
        x_train: images to train on, first axis N.
        y_train: their classes: numbers, names, or one-hot rows.
        x_test: images to test on, first axis N; None if the data set is not parted.
        y_test: their classes; None with ``x_test``.
        labels: class names, by class number; None if the format has none.
        notes: sentences on what was done to bring the data into this form.
    """

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any] | None
    y_test: NDArray[Any] | None
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
