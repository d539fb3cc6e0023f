"""The choice of a network by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.networks import NETWORKS
from trainer.samples import Samples

if TYPE_CHECKING:
    import keras


def build_network(data: Samples, name: str, width: float = 1.0) -> keras.Model:
    """Build a network, not compiled, with weights by chance.

    Args:
        data: the data set, whose shape and classes the network gets.
        name: a name in ``NETWORKS``.
        width: the factor of the numbers of channels or units.
    """
    return NETWORKS[name](data, width)
