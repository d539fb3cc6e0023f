"""The population stability index tells the distance of two distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Each bin gets this much more, so that none is empty, whose share has no logarithm.
_MORE = 0.5


def psi(expected: Sequence[int], counted: Sequence[int]) -> float:
    """Return the index; 0 for equal shares, and larger for other ones.

    It is the sum of ``(q - p) * ln(q / p)`` over all bins, where p and q are the two
    shares of a bin. Below 0.1 the distributions count as the same, and above 0.25 as
    different.

    Args:
        expected: the counts of the reference, one for each bin.
        counted: the counts that are compared, for the same bins.
    """
    size = len(expected)
    all_expected = sum(expected) + _MORE * size
    all_counted = sum(counted) + _MORE * size
    total = 0.0
    for one, other in zip(expected, counted, strict=True):
        p = (one + _MORE) / all_expected
        q = (other + _MORE) / all_counted
        total += (q - p) * math.log(q / p)
    return total
