"""Sums: cores, memory and network for a number of images a second."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench import record
from tools.capacity import work
from tools.capacity.work import RESULTS

# Workers are planned for this share of what they can answer; see the simulation.
UTILISATION = 0.7
# deploy/kubernetes/base has pods of so many workers, each with a core.
POD_WORKERS = 4
# Two pods, so that one may end.
LEAST_PODS = 2
# `make bench` serves with so many workers.
_BENCH_WORKERS = 2
# The bytes of a line of the log about one prediction, as JSON.
LOG_BYTES = 430


@dataclass(frozen=True)
class Kind:
    """A kind of requests.

    Attributes:
        title: its name in the tables.
        key: its letter in ``make bench``.
        model: the model that answers it.
        images: the images in a request.
        bytes_in: the bytes of a request of ``make bench`` on the wire, with its head.
        bytes_out: the bytes of the reply.
    """

    title: str
    key: str
    model: str
    images: int
    bytes_in: int
    bytes_out: int


# The bytes were counted on a socket.
KINDS = (
    Kind("MNIST, one PNG in a request", "a", "mnist", 1, 606, 420),
    Kind("MNIST, 32 PNGs in a request", "c", "mnist", 32, 12_415, 4_642),
    Kind("MobileNetV2, one JPEG of 100 kB", "d", "mobilenet", 1, 102_819, 14_286),
)


@dataclass(frozen=True)
class Needs:
    """The needs of a number of images a second.

    Attributes:
        requests_per_second: the requests.
        cores: the cores at ``UTILISATION``.
        pods: the pods of ``POD_WORKERS`` workers.
        gib: the memory of all processes, in GiB.
        gbit_in: the network to the pods, in Gbit/s.
        gbit_out: the network from the pods, in Gbit/s.
        log_mb: the log, in MB/s.
    """

    requests_per_second: float
    cores: float
    pods: int
    gib: float
    gbit_in: float
    gbit_out: float
    log_mb: float


def worker_mib(model: str) -> float:
    """Return the memory of a worker with its share of the parent, in MiB."""
    starts = record.read(RESULTS).servers["ours"].starts[model]
    return max(starts.mib) / _BENCH_WORKERS


def needs(kind: Kind, images_per_second: float) -> Needs:
    """Return what a number of images a second takes.

    Args:
        kind: the requests.
        images_per_second: the images.
    """
    requests = images_per_second / kind.images
    cores = requests / work.of(kind.key).capacity / UTILISATION
    pods = max(LEAST_PODS, math.ceil(cores / POD_WORKERS))
    return Needs(
        requests,
        cores,
        pods,
        pods * POD_WORKERS * worker_mib(kind.model) / 1024,
        requests * kind.bytes_in * 8 / 1e9,
        requests * kind.bytes_out * 8 / 1e9,
        requests * LOG_BYTES / 1e6,
    )
