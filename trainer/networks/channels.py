"""The number of channels of a layer, by the width of its network."""

from __future__ import annotations

# Vector units of processors work on so many numbers at once.
_MULTIPLE = 8

# Keras's own 0.99 needs a thousand steps until the means that a trained model uses are
# those of the data. A small data set has a hundred steps.
MOMENTUM = 0.9


def channels(usual: int, width: float) -> int:
    """Return the number of channels nearest to ``usual * width``, a multiple of 8."""
    return max(_MULTIPLE, round(usual * width / _MULTIPLE) * _MULTIPLE)
