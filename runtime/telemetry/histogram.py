"""Private parts of prometheus_client's histogram, which observe many values at once.

``Histogram.observe`` takes a lock, looks for the bucket and writes two values for each
number; there is no public way to give it many. Only this file names the private parts.
pyproject.toml admits the versions that were tried, and
``tests/runtime/telemetry/test_histogram.py`` fails if a version differs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from prometheus_client import Histogram


def observe_all(histogram: Histogram, values: Sequence[float]) -> None:
    """Observe each value, like ``Histogram.observe`` on one after the other.

    Args:
        histogram: a histogram without labels, or with all of them given.
        values: the values in the histogram's unit.
    """
    histogram._sum.inc(sum(values))
    # This is the first bucket whose bound is not below the value; the last is infinite.
    places = np.searchsorted(histogram._upper_bounds, values)
    for place, count in enumerate(np.bincount(places).tolist()):
        if count:
            histogram._buckets[place].inc(count)
