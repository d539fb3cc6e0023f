"""``runtime tune``: which workers, threads and batches suit a model on this machine.

Measured, and not computed: each setting is run for a moment in as many processes as it
has workers, all at once, as a busy service would run them. HTTP and decoding are left
out: they take the same under each setting.
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier

import numpy as np

from bundle.folder import open_bundle
from runtime.backends import Backend
from runtime.backends.opening import open_backend
from runtime.backends.options import BackendOptions
from runtime.backends.warming import Make, warm_up
from runtime.errors import BackendError

# A larger batch is worth its latency from so much more throughput on.
WORTH = 1.1
# What a batch costs each of its requests besides: it is handed to another thread and
# back, some 0.1 ms under load, which runs without a service do not show.
HAND_OVER_SECONDS = 0.0001
# How long the slowest of the processes may take to open the model.
_PATIENCE = 300.0


@dataclass(frozen=True)
class Setting:
    """What is tried.

    Attributes:
        workers: processes.
        intra_op_threads: of one run, in each.
        batch_size: items in one run.
    """

    workers: int
    intra_op_threads: int
    batch_size: int


@dataclass(frozen=True)
class Trial:
    """How a setting did.

    Attributes:
        items_per_second: of all workers.
        p50_ms: of one run, in milliseconds.
        p99_ms: of one run, in milliseconds.
    """

    setting: Setting
    items_per_second: float
    p50_ms: float
    p99_ms: float

    @property
    def served_per_second(self) -> float:
        """What of them a service would get, with requests of one item."""
        if self.setting.batch_size == 1:
            return self.items_per_second
        hand_over = HAND_OVER_SECONDS / self.setting.workers
        return 1 / (1 / self.items_per_second + hand_over)


def settings(cores: int, max_batch_size: int) -> Iterator[Setting]:
    """All that may suit: no more threads in all than cores, batches of powers of two.

    Fewer than all cores are tried for one worker alone, whose one request may be slow.
    """
    for workers in _powers(cores):
        for threads in _powers(cores // workers):
            if workers * threads > cores // 2 or workers == 1:
                for batch_size in _powers(max_batch_size):
                    yield Setting(workers, threads, batch_size)


def _powers(limit: int) -> list[int]:
    powers = [1 << n for n in range(limit.bit_length()) if 1 << n <= limit]
    return powers if powers[-1] == limit else [*powers, limit]


def choose(trials: Iterable[Trial], latency_ms: float | None) -> Trial | None:
    """The trial that serves most items a second, of those within the target.

    Of those that are within a tenth of it, the one with the smallest batch, and then
    the shortest p99: what is hardly faster is not worth a wait.

    Args:
        trials: what was measured.
        latency_ms: of the slowest run in a hundred; None is no target.

    Returns:
        None if no trial is within the target.
    """
    fit = [t for t in trials if latency_ms is None or t.p99_ms <= latency_ms]
    if not fit:
        return None
    best = max(trial.served_per_second for trial in fit)
    near = [trial for trial in fit if trial.served_per_second * WORTH >= best]
    return min(near, key=lambda trial: (trial.setting.batch_size, trial.p99_ms))


def measure(
    folder: Path,
    options: BackendOptions,
    tried: Iterable[Setting],
    seconds: float,
    tell: Callable[[Trial], None],
) -> list[Trial]:
    """Run each setting for a moment.

    Args:
        folder: a bundle's.
        options: how the service would open it.
        tried: see ``settings``; neighbours that differ in their batches alone share
            their processes.
        seconds: of each.
        tell: called with each trial as it is done.

    Raises:
        BundleError, BackendError: the bundle cannot be opened.
    """
    trials: list[Trial] = []
    for (workers, threads), group in itertools.groupby(tried, _processes):
        batch_sizes = [setting.batch_size for setting in group]
        theirs = replace(options, intra_op_threads=threads)
        for batch_size, spent in zip(
            batch_sizes,
            _spent(workers, folder, theirs, batch_sizes, seconds),
            strict=True,
        ):
            p50, p99 = np.percentile(spent, [50, 99]) * 1e3
            trial = Trial(
                Setting(workers, threads, batch_size),
                len(spent) * batch_size / seconds,
                float(p50),
                float(p99),
            )
            trials.append(trial)
            tell(trial)
    return trials


def _processes(setting: Setting) -> tuple[int, int]:
    return setting.workers, setting.intra_op_threads


def _spent(
    workers: int,
    folder: Path,
    options: BackendOptions,
    batch_sizes: list[int],
    seconds: float,
) -> list[list[float]]:
    """The seconds of each run, in all processes together, by batch size."""
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(workers, mp_context=context) as pool,
    ):
        together = manager.Barrier(workers)
        runs = [
            pool.submit(_run, folder, options, batch_sizes, seconds, together)
            for _ in range(workers)
        ]
        each = [run.result() for run in runs]
    return [list(itertools.chain(*of_size)) for of_size in zip(*each, strict=True)]


def _run(
    folder: Path,
    options: BackendOptions,
    batch_sizes: list[int],
    seconds: float,
    together: Barrier,
) -> list[list[float]]:
    """One process: each batch size's runs, beginning when all are ready for it."""
    try:
        bundle = open_bundle(folder)
        backend = open_backend(bundle, options).backend
        warm = warm_up(backend, bundle.params.ranges)
        if warm is None:
            raise BackendError(
                "the model takes none of the inputs that were tried; declare 'ranges'"
                " in params.json"
            )
        return [
            _timed(backend, warm.make, size, seconds, together) for size in batch_sizes
        ]
    except BaseException:
        together.abort()  # or the others would wait
        raise


def _timed(
    backend: Backend,
    make: Make,
    batch_size: int,
    seconds: float,
    together: Barrier,
) -> list[float]:
    inputs = make(batch_size)
    backend.run(inputs)
    together.wait(_PATIENCE)
    spent: list[float] = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        backend.run(inputs)
        spent.append(time.perf_counter() - start)
    return spent
