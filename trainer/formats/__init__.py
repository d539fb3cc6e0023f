"""The file formats of data sets: each file here reads one format into ``Arrays``.

A reader knows only its format. ``recognize`` finds the reader of a file and brings the
images to one form, and ``trainer.data`` checks the arrays, once for all formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

from bundle.params import Preprocess
from trainer.images import Images


class Arrays(NamedTuple):
    """A data set as its file holds it, not yet checked.

    Shapes and dtypes are those of the file; ``recognize`` brings the images to one
    form, and ``trainer.data`` the labels.

    Attributes:
        x_train: ``(N, …)`` images to train on, in any dtype.
        y_train: ``(N,)`` class numbers or names, or ``(N, K)`` one-hot rows, in any
            dtype.
        x_test: ``(N', …)`` images to test on; None if the data set has no test part.
        y_test: the classes of ``x_test``, like ``y_train``; None without ``x_test``.
        labels: class names, by class number; None if the format has none.
        notes: sentences about changes that brought the data into this form.
    """

    x_train: Images
    y_train: NDArray[Any]
    x_test: Images | None
    y_test: NDArray[Any] | None
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """The form to which all images of a data set are brought.

    Attributes:
        size: ``(height, width)`` in pixels; None is the most common size of pictures,
            and the size that arrays have.
        channels: 1 makes them gray and 3 gives them colour; None keeps both, and takes
            gray pictures among coloured ones as colour.
        how: the steps from a picture to the form, as a service does them.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    how: Preprocess = field(default_factory=Preprocess)
