"""The choice of a network by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.errors import ArchitectureError
from trainer.networks import NETWORKS
from trainer.networks.own import build_own, is_own, own_file
from trainer.networks.start import Start, build_start
from trainer.samples import Samples

if TYPE_CHECKING:
    import keras


def check_network(name: str) -> None:
    """Check that there is such a network, without TensorFlow.

    Raises:
        ArchitectureError: there is none.
    """
    if is_own(name):
        own_file(name)
    elif name not in NETWORKS:
        raise ArchitectureError(
            f"there is no network {name}; --arch takes {', '.join(sorted(NETWORKS))},"
            " or FILE.py:FUNCTION of your own"
        )


def build_network(
    data: Samples, name: str, width: float = 1.0, start: Start | None = None
) -> keras.Model:
    """Build a network, not compiled, with weights by chance or those of a bundle.

    Args:
        data: the data set, whose shape and classes the network gets.
        name: a name in ``NETWORKS``, or ``FILE.py:FUNCTION``.
        width: the factor of the numbers of channels or units.
        start: the bundle whose network and weights are taken instead.

    Raises:
        ArchitectureError: the network cannot be built, or does not fit the data.
    """
    if start is not None:
        return build_start(start, data)
    return build_own(name, data) if is_own(name) else NETWORKS[name](data, width)
