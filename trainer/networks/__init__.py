"""Networks by their names: their layers, not compiled and not yet trained.

``build(data, width)`` gives a model that takes raw pixels or raw rows, because its
scaling is inside, and gives ``(N, len(data.labels))`` float32 scores that sum to 1, or
``(N, 1)`` numbers for a regression. ``width`` is a factor of the numbers of channels or
units in its layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trainer.networks.cnn import build_cnn
from trainer.networks.mobilenet import build_mobilenet
from trainer.networks.resnet_small import build_resnet_small
from trainer.networks.vgg_small import build_vgg_small
from trainer.tables.network import build_mlp

if TYPE_CHECKING:
    import keras

NETWORKS: dict[str, Callable[[Any, float], keras.Model]] = {
    "cnn": build_cnn,
    "mlp": build_mlp,
    "mobilenet": build_mobilenet,
    "resnet-small": build_resnet_small,
    "vgg-small": build_vgg_small,
}
