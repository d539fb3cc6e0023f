"""The choice of the rows that are held out of a training, the same share of each class.

The choice within one class looks at no other class.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# If a data set has no test part, this share of each class is held out to test on.
TEST_SHARE = 0.2


def stratified(
    numbers: NDArray[np.int64], share: float, seed: int
) -> NDArray[np.bool_]:
    """Choose a share of each class by chance.

    A class of two or more rows gives at least one and keeps at least one; a class of a
    single row keeps it.

    Args:
        numbers: ``(N,)`` int64, the class number of each row, from 0 on.
        share: the share of each class to choose, between 0 and 1.
        seed: the same seed chooses the same rows of the same ``numbers``.

    Returns:
        ``(N,)`` bool, True for each row that is chosen.
    """
    chosen = np.zeros(len(numbers), bool)
    for number in np.unique(numbers):
        places = np.flatnonzero(numbers == number)
        count = min(max(round(len(places) * share), 1), len(places) - 1)
        generator = np.random.default_rng((seed, int(number)))
        chosen[generator.permutation(places)[:count]] = True
    return chosen
