"""The requests of many nodes to one object store, and the series of their metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# These are runtime/mirroring.py's and config.json's ('objectPollSeconds'); a test
# compares them. A node reads the list of the last changes once in so many seconds, and
# looks at the models that changed. It lists the whole store once in WHOLE_SECONDS. Each
# wait is drawn from so much less to so much more.
POLL_SECONDS = 2.0
WHOLE_SECONDS = 300.0
JITTER = 0.25
# A look at a model that changed: its labels are listed, its versions, and the new
# manifest or label is read. A test counts them.
CHANGE_REQUESTS = 3

# One list request has so many keys.
_PAGE_KEYS = 1000
# S3's answer has so much XML for each key.
_ENTRY = (
    "<Contents><Key>models/versions/mnist-classifier/12.json</Key><LastModified>"
    "2026-11-29T07:45:37.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e"
    "&quot;</ETag><Size>1234</Size><StorageClass>STANDARD</StorageClass></Contents>"
)

# One model that was asked on one route has so many series and bytes in an answer of
# /metrics; a test counts them.
SERIES = 140
SERIES_BYTES = 10_800
# The processor's time for these lines, and the memory of each worker for them, as they
# were measured with 1,000 models in one process.
SCRAPE_MS = 0.9
SERIES_KB = 80


@dataclass(frozen=True)
class Store:
    """Nodes that serve from one object store.

    Attributes:
        nodes: the nodes, each with a copy of its own.
        models: the models of the store.
        versions: the versions of a model: 'keepVersions' and one with a label.
        labels: the labels of a model.
    """

    nodes: int
    models: int
    versions: int = 6
    labels: int = 1

    @property
    def pages(self) -> int:
        """The list requests of one listing: labels and versions are listed apart."""
        each = (self.models * self.labels, self.models * self.versions)
        return sum(max(1, math.ceil(keys / _PAGE_KEYS)) for keys in each)

    @property
    def looks(self) -> float:
        """The looks of all nodes in a second."""
        return self.nodes / POLL_SECONDS

    @property
    def lists(self) -> float:
        """The list requests of all nodes in a second, for whole listings."""
        return self.nodes * self.pages / WHOLE_SECONDS

    @property
    def list_bytes(self) -> float:
        """The bytes of the answers to them in a second."""
        keys = self.models * (self.versions + self.labels)
        return self.nodes * keys * len(_ENTRY) / WHOLE_SECONDS

    @property
    def requests_of_a_change(self) -> int:
        """The requests of all nodes after one change, within one look."""
        return self.nodes * CHANGE_REQUESTS

    @property
    def first_reads(self) -> int:
        """The objects that a new node reads before it knows all models."""
        return self.models * (self.versions + self.labels)


def busiest_second(
    nodes: int, seconds: int, jitter: float = JITTER, seed: int = 1
) -> tuple[int, int]:
    """Simulate the looks of nodes that start at the same moment.

    Args:
        nodes: the nodes.
        seconds: the simulated time.
        jitter: the share by which a wait differs at most.
        seed: the beginning of the random numbers.

    Returns:
        The looks in the busiest second of the first ten, and of the last ten.
    """
    draws = np.random.default_rng(seed)
    waits = math.ceil(seconds / POLL_SECONDS / (1 - jitter))
    factors = draws.uniform(1 - jitter, 1 + jitter, (nodes, waits))
    times = np.cumsum(POLL_SECONDS * factors, axis=1)
    times = np.concatenate([np.zeros((nodes, 1)), times], axis=1)
    counts = np.bincount(times[times < seconds].astype(np.int64), minlength=seconds)
    return int(counts[:10].max()), int(counts[-10:].max())


def hits(models: int, in_memory: int, *, equal: bool) -> float:
    """Return the share of the requests whose model is in memory.

    The most wanted models are in memory, which is the best that a cache can do.

    Args:
        models: the models.
        in_memory: the models in memory.
        equal: all models are wanted alike; else the n-th one 1/n as often as the first
            (Zipf).
    """
    ranks = np.arange(1, models + 1)
    wanted = np.ones(models) if equal else 1 / ranks
    return float(wanted[:in_memory].sum() / wanted.sum())
