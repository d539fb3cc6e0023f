"""Inputs of scorings, whose answers are known by hand."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from runtime.backends import TensorSpec
from runtime.scoring.facts import Facts

FLOAT = np.dtype(np.float32)
PIXELS = TensorSpec("pixels", FLOAT, (None, 2, 2, 1))

LINEAR = Facts(
    "linear", 1, "digest", (PIXELS,), "scores", ("zero", "one", "two"), False, (), 1
)

# The model adds pixels 2 and 3 up for its class "two"; 0 and 1 are the other classes.
GRAYS = {
    "a.png": [[10, 20], [3, 4]],
    "b.png": [[1, 2], [100, 155]],
    "sub/c.png": [[7, 0], [0, 0]],
    "sub/d.PNG": [[0, 9], [0, 0]],
    "z.png": [[0, 0], [0, 0]],
}
CSV = """\
item,label,zero,one,two
a.png,one,10.0,20.0,7.0
b.png,two,1.0,2.0,255.0
sub/c.png,zero,7.0,0.0,0.0
sub/d.PNG,one,0.0,9.0,0.0
z.png,zero,0.0,0.0,0.0
"""


def facts_with(**fields: object) -> Facts:
    return replace(LINEAR, **fields)  # type: ignore[arg-type]


def rows_of(*features: str, width: int = 4, dtype: object = np.float32) -> Facts:
    """Return the facts of a model that takes rows and has no pictures."""
    spec = TensorSpec("row", np.dtype(dtype), (None, len(features) or width))
    return facts_with(inputs=(spec,), features=features, img_channels=0)


def save_pictures(folder: Path) -> None:
    for name, gray in GRAYS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(gray, np.uint8)).save(path, "PNG")


class Dying:
    """A model whose process is killed when it is opened, as by a full memory."""

    def open(self) -> object:
        os.kill(os.getpid(), signal.SIGKILL)
        return self


class Hanging:
    """A model that is opened for ever; it tells that it began."""

    def __init__(self, begun: Path) -> None:
        self.begun = begun

    def open(self) -> object:
        os.mkfifo(self.begun.with_suffix(".never"))
        self.begun.write_text("begun")
        # Nobody ever writes into this pipe.
        self.begun.with_suffix(".never").read_text()
        return self
