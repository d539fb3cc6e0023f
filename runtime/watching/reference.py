"""The distributions of a bundle's test set, read from report/metrics.json."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bundle.errors import BundleError
from bundle.folder import Bundle
from bundle.report import METRICS, SCHEMA_VERSION, read_metrics

# The figures of an item: the class, its score, and simple figures of the input.
Figure = Literal["predicted", "confidence", "mean", "spread", "clipped"]
FIGURES: tuple[Figure, ...] = get_args(Figure)
OF_INPUT: tuple[Figure, ...] = ("mean", "spread", "clipped")

# Some classes are counted together if there are more. With a bin for each of a thousand
# classes, chance alone would look like a drift.
MOST_BINS = 20
# A test set has fewer images, and JSON may hold any number.
_MOST_COUNT = 1 << 53


@dataclass(frozen=True)
class Reference:
    """The distributions with which later items are compared.

    Attributes:
        counts: the number of test images in each bin, by figure.
        edges: ``(bins - 1,)`` rising bounds between the bins of each figure but
            ``predicted``; a bin holds its lower edge.
        groups: ``(classes,)`` the bin of each class in ``predicted``.
    """

    counts: dict[Figure, tuple[int, ...]]
    edges: dict[Figure, NDArray[np.float64]]
    groups: NDArray[np.intp]


def read_reference(bundle: Bundle) -> Reference | None:
    """Read the distributions of a bundle; None if it has none.

    Raises:
        BundleError: the file is there, and holds something else. The bundle may be a
            stranger's.
    """
    metrics = read_metrics(bundle.path)
    if metrics is None or metrics.get("schema_version") != SCHEMA_VERSION:
        return None
    found = metrics.get("reference")
    if found is None:
        return None
    try:
        classes = _counts(found["predicted"])
        distributions: dict[Figure, Any] = {"confidence": found["confidence"]}
        # A table's test set has no pixels to count.
        if inputs := found["input"]:
            distributions |= {figure: inputs[figure] for figure in OF_INPUT}
        counts = {name: _counts(one["counts"]) for name, one in distributions.items()}
        edges = {name: _edges(one["edges"]) for name, one in distributions.items()}
        if any(len(edges[name]) + 1 != len(counts[name]) for name in edges):
            raise ValueError("a distribution has not one count for each bin")
        if bundle.labels and len(classes) != len(bundle.labels):
            raise ValueError("'predicted' has not one count for each label")
    except (LookupError, TypeError, ValueError, OverflowError) as ex:
        raise BundleError(f"{METRICS}: 'reference' cannot be used: {ex}") from ex
    groups = _groups(classes)
    bins = np.zeros(groups.max() + 1, np.int64)
    np.add.at(bins, groups, classes)
    return Reference({"predicted": tuple(bins.tolist()), **counts}, edges, groups)


def _counts(given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or not given:
        raise ValueError("counts are missing")
    for count in given:
        if type(count) is not int or not 0 <= count < _MOST_COUNT:
            raise ValueError("a count is no number of images")
    return tuple(given)


def _edges(given: Any) -> NDArray[np.float64]:
    if not isinstance(given, list) or len(given) >= MOST_BINS:
        raise ValueError(f"edges are missing, or more than {MOST_BINS - 1}")
    for edge in given:
        if type(edge) not in (int, float) or not math.isfinite(edge):
            raise ValueError("an edge is no number")
    edges = np.array(given, np.float64)
    if not (np.diff(edges) > 0).all():
        raise ValueError("edges do not rise")
    return edges


def _groups(classes: tuple[int, ...]) -> NDArray[np.intp]:
    """Return each class's bin: neighbours share one, if there are many classes.

    The bins of many classes have about the same number of test images.
    """
    if len(classes) <= MOST_BINS:
        return np.arange(len(classes))
    before = np.cumsum((0, *classes[:-1]), dtype=np.float64)
    places = (before * MOST_BINS / max(1, sum(classes))).astype(np.intp)
    # Classes without test images may leave a bin out; the bins keep no gap.
    return np.unique(places.clip(max=MOST_BINS - 1), return_inverse=True)[1]
