"""The way of one picture to a model, step by step, for people who look at it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runtime.prediction.answers import Scores

# A photo would make a reply of a hundred megabytes, and people see a small one as well.
_SIDE = 256


class Step(NamedTuple):
    """A picture after one step.

    Attributes:
        name: ``decoded``, or the key of params.json's ``preprocess``.
        shape: ``(H, W, C)`` of the picture.
        png: the picture as a PNG file, at most 256 pixels a side.
    """

    name: str
    shape: tuple[int, ...]
    png: bytes


class ExplainedTensor(TypedDict):
    """The item that the model got, in numbers.

    Attributes:
        shape: ``(H, W, C)``.
        dtype: the input's dtype, by numpy's name.
        min: the least number.
        max: the greatest number.
        mean: the mean of all numbers.
        clipped: the share of the last picture's values that are 0 or 255, the ends of
            their range.
    """

    shape: tuple[int, ...]
    dtype: str
    min: float
    max: float
    mean: float
    clipped: float


class Explanation(NamedTuple):
    """A prediction for one picture, and the way to it.

    Attributes:
        steps: the decoded picture, and the picture after each step.
        tensor: the item that the model got.
        scores: the model's answer.
    """

    steps: list[Step]
    tensor: ExplainedTensor
    scores: Scores


def steps_of(
    decoded: NDArray[np.uint8], pictures: Mapping[str, NDArray[np.uint8]]
) -> list[Step]:
    """Make PNG files of a picture and of what became of it.

    Args:
        decoded: ``(H, W, C)`` uint8; C is 1 or 3.
        pictures: the same, by the names of the steps.
    """
    return [
        Step(name, picture.shape, _png(picture))
        for name, picture in {"decoded": decoded, **pictures}.items()
    ]


def tensor_of(item: NDArray[Any], picture: NDArray[np.uint8]) -> ExplainedTensor:
    """Describe a model's item.

    Args:
        item: ``(H, W, C)`` of the input's dtype.
        picture: the same as a picture, before it was scaled.
    """
    return ExplainedTensor(
        shape=item.shape,
        dtype=item.dtype.name,
        min=float(item.min()),
        max=float(item.max()),
        mean=float(item.mean(dtype=np.float64)),
        clipped=float(np.mean((picture == 0) | (picture == 255))),
    )


def _png(picture: NDArray[np.uint8]) -> bytes:
    # Pillow takes gray pictures without a channel axis.
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    factor = -(-max(image.size) // _SIDE)
    if factor > 1:
        image = image.reduce(factor)
    written = io.BytesIO()
    image.save(written, format="PNG")
    return written.getvalue()
