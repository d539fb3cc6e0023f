"""The share of pictures that a bundle reads right, with its steps and without them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bundle.folder import open_bundle
from bundle.params import Preprocess
from bundle.preprocess import Preprocessing
from tools.pictures.kinds import KINDS, Kind, Pixels, pictures

_SHAPE = (28, 28, 1)
# A run of all images at once would take gigabytes.
_BATCH = 200


@dataclass(frozen=True)
class Row:
    """The result of one kind of pictures.

    Attributes:
        kind: the kind.
        before: the share that is read right without ``polarity`` and ``fit``, 0..1.
        after: the share with the steps of the bundle's params.json.
        microseconds: the processor time of these steps for one picture.
    """

    kind: Kind
    before: float
    after: float
    microseconds: float


def measure(
    folder: Path,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    kinds: Sequence[Kind] = KINDS,
) -> list[Row]:
    """Read pictures of each kind.

    Args:
        folder: a bundle of MNIST with model.onnx.
        images: ``(N, 28, 28)`` uint8, the test images.
        labels: ``(N,)`` int64, their digits.
        kinds: the kinds of pictures.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    (node,) = session.get_inputs()
    how = open_bundle(folder).params.preprocess

    def right(steps: Preprocess, changed: list[Pixels]) -> tuple[float, float]:
        """Return the share of right answers, and the microseconds a picture."""
        preprocess = Preprocessing(steps, _SHAPE, np.dtype(np.float32))
        started = time.thread_time()
        items = [preprocess(picture[:, :, np.newaxis]) for picture in changed]
        seconds = time.thread_time() - started
        answers = [
            session.run(None, {node.name: np.stack(items[start : start + _BATCH])})[0]
            for start in range(0, len(items), _BATCH)
        ]
        found = np.concatenate(answers).argmax(axis=1)
        return float(np.mean(found == labels)), 1e6 * seconds / len(changed)

    rows = []
    for kind in kinds:
        changed = pictures(kind, images)
        before, _ = right(Preprocess(), changed)
        rows.append(Row(kind, before, *right(how, changed)))
    return rows
