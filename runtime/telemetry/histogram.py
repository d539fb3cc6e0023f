"""Private parts of prometheus_client's histogram, by which many values cost one.

``Histogram.observe`` takes a lock, looks for the bucket and writes two values for each
number that it is given; there is no public way to give it many. What is used of it is
named here alone, pyproject.toml admits the versions that this was tried with, and
``tests/runtime/telemetry/test_histogram.py`` fails where a version has it otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from prometheus_client import Histogram


def observe_all(histogram: Histogram, values: Sequence[float]) -> None:
    """Observe each value: as ``Histogram.observe`` of one after the other.

    Args:
        histogram: one without labels, or with all of them given.
        values: in the histogram's unit.
    """
    histogram._sum.inc(sum(values))
    # The first bucket whose bound is not below the value; the last one's is infinity.
    places = np.searchsorted(histogram._upper_bounds, values)
    for place, count in enumerate(np.bincount(places).tolist()):
        if count:
            histogram._buckets[place].inc(count)
