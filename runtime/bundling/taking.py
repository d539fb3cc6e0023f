"""The facts that an opened model tells, and that params.json may need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runtime.admin import Description
from runtime.backends import TensorSpec
from runtime.bundling.wishes import Tell, Wishes
from runtime.models.fitness import channels_of


def take_channels(wishes: Wishes, version: Description, tell: Tell) -> int:
    """Tell of an opened model; return the channels that its params.json must name."""
    inputs, outputs = _specs(version["inputs"]), _specs(version["outputs"])
    for word, specs in (("input", inputs), ("output", outputs)):
        for spec in specs:
            tell(f"{word} {spec.name}: {_shape(spec)} {spec.dtype.name}")
    if version["proved"] is not None:
        tell(
            "model.onnx is proved: it answers as TensorFlow does"
            if version["proved"]
            else "model.onnx is unproved: no TensorFlow model is there to compare with"
        )
    axes = outputs[0].shape
    if not wishes.labels and len(axes) == 2 and (axes[1] or 0) > 1:
        tell("its classes have no names; --labels a,b,c gives them")
    if wishes.channels is not None:
        return 0
    channels = channels_of(inputs, outputs[0])
    if channels:
        tell(
            f"img_channels is {channels}, from the shape of {inputs[0].name}: it takes"
            f" {'gray' if channels == 1 else 'colour'} pictures; --channels 0 says no"
        )
    elif len(inputs) == 1 and _has_channels_first(inputs[0]):
        tell(
            f"the channels of {inputs[0].name} come first, so it takes numbers and no"
            " pictures"
        )
    return channels


def _has_channels_first(spec: TensorSpec) -> bool:
    """Tell whether an input has the shape of pictures as PyTorch has them."""
    return len(spec.shape) == 4 and spec.shape[1] in (1, 3)


def _specs(tensors: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(told["name"], np.dtype(told["dtype"]), tuple(told["shape"]))
        for told in tensors
    )


def _shape(spec: TensorSpec) -> str:
    return f"({', '.join('N' if n is None else str(n) for n in spec.shape)})"
