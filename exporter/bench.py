"""``exporter bench``: time both engines at several batch sizes.

Each engine has its own process for each number of threads. TensorFlow accepts the
number only before its first use, and two engines at once would share the cores.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from exporter.child.run import Limits, Tell, run_in_child
from exporter.destination import Destination
from exporter.errors import ExportError
from exporter.sources.reference import open_reference
from exporter.sources.source import Source
from exporter.sources.trust import check_candidate, check_source
from runtime.backends import Backend, TensorSpec
from runtime.backends.onnx import CPU, OnnxBackend
from runtime.backends.tensors import WARMED_SIDE
from runtime.backends.warming import warm_up
from runtime.errors import BackendError
from runtime.process.cores import usable_cores

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
# These limits hold for one engine at one batch size. The runs end when the median is
# steady or the time is over; there are at least three, however slow the model is.
RUNS = 200
MIN_RUNS = 3
SECONDS = 0.5

Engine = Literal["tensorflow", "onnxruntime"]
ENGINES: tuple[Engine, ...] = ("tensorflow", "onnxruntime")


@dataclass(frozen=True)
class Timing:
    """The time of one engine at one batch size.

    Attributes:
        threads: the number of threads that the engine could use.
        batch_size: N, the number of items in a batch.
        milliseconds: the median time of a run of the whole batch.
    """

    engine: Engine
    threads: int
    batch_size: int
    milliseconds: float

    @property
    def items_per_second(self) -> float:
        """The number of items that the engine answers in a second."""
        return self.batch_size * 1000 / self.milliseconds


@dataclass(frozen=True)
class _Order:
    source: Source
    model: Path
    engine: Engine
    threads: int


def bench(
    source: Source,
    destination: Destination,
    *,
    limits: Limits,
    tell: Tell,
    verbose: bool = False,
) -> tuple[Timing, ...]:
    """Time a source in TensorFlow and its ONNX in ONNX Runtime, on the CPU.

    Raises:
        NoOnnx: there is no ONNX.
        SourceError: the source is no model that can be loaded.
        ExportError: an engine cannot load or run it.
    """
    destination.check_there()
    return tuple(
        timing
        for threads in sorted({1, usable_cores()})
        for engine in ENGINES
        for timing in run_in_child(
            _time,
            _Order(source, destination.model, engine, threads),
            limits=limits,
            tell=tell,
            verbose=verbose,
            reads=[source.given, destination.model, destination.data],
        )
    )


def _time(order: _Order, tell: Tell) -> tuple[Timing, ...]:
    tell(f"{order.engine}, threads: {order.threads}")
    try:
        return tuple(_timings(order))
    except BackendError as ex:
        raise ExportError(f"{order.engine} cannot be timed: {ex}") from ex


def _timings(order: _Order) -> Iterator[Timing]:
    backend = _open(order)
    fixed = next((s.shape[0] for s in backend.inputs if s.shape and s.shape[0]), None)
    warm = warm_up(backend, order.source.ranges, [partial(_batch, backend.inputs)])
    if warm is None:
        raise BackendError(
            "the model takes none of the inputs that were tried; say between which"
            " numbers they lie, with --range"
        )
    for size in (fixed,) if fixed else BATCH_SIZES:
        milliseconds = _median(backend, warm.make(size))
        yield Timing(order.engine, order.threads, size, milliseconds)


def _open(order: _Order) -> Backend:
    if order.engine == "onnxruntime":
        check_candidate(order.source, order.model)
        return OnnxBackend(order.model, CPU, order.threads, order.source.ranges)
    # Before the import, which takes seconds.
    check_source(order.source)
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(order.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(order.threads)
    return open_reference(order.source)


def _batch(specs: tuple[TensorSpec, ...], size: int) -> dict[str, NDArray[Any]]:
    """Inputs that most models take; an engine needs the same time for any values.

    Returns:
        Arrays by the inputs' names, each ``(N, …)`` of its input's dtype.
    """
    return {spec.name: _numbers(spec, size) for spec in specs}


def _numbers(spec: TensorSpec, size: int) -> NDArray[Any]:
    free = [n or WARMED_SIDE for n in spec.shape[1:]]
    shape = tuple([size, *free][: len(spec.shape)])
    if spec.dtype.kind == "f":
        return np.random.default_rng(0).random(shape).astype(spec.dtype)
    # Indices and flags are 0, texts are empty.
    return np.full(shape, "" if spec.dtype == object else 0, spec.dtype)


def _median(backend: Backend, batch: dict[str, NDArray[Any]]) -> float:
    backend.run(batch)
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < MIN_RUNS or (len(times) < RUNS and time.perf_counter() < end):
        start = time.perf_counter()
        backend.run(batch)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1000
