"""``runtime tune`` finds the workers, threads and batches that suit a model here.

They are measured, and not computed. Each setting is run for a moment in as many
processes as it has workers, all at once, as in a busy service. HTTP and decoding are
left out, because they take the same time under each setting.
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

# A larger batch is worth its latency if the throughput grows at least by this factor.
WORTH = 1.1
# A batch costs each of its requests so much more: it is handed to another thread and
# back, some 0.1 ms under load. Runs without a service do not show that.
HAND_OVER_SECONDS = 0.0001
# The slowest process may take so long to open the model.
_PATIENCE = 300.0


@dataclass(frozen=True)
class Setting:
    """One setting that is tried.

    Attributes:
        workers: the number of processes.
        intra_op_threads: the threads of one run in each process.
        batch_size: the items in one run.
    """

    workers: int
    intra_op_threads: int
    batch_size: int


@dataclass(frozen=True)
class Trial:
    """The result of a setting.

    Attributes:
        items_per_second: the items of all workers together.
        p50_ms: the median time of one run, in milliseconds.
        p99_ms: the time that 99 of 100 runs keep, in milliseconds.
    """

    setting: Setting
    items_per_second: float
    p50_ms: float
    p99_ms: float

    @property
    def served_per_second(self) -> float:
        """The items a second that a service would serve, with requests of one item."""
        if self.setting.batch_size == 1:
            return self.items_per_second
        hand_over = HAND_OVER_SECONDS / self.setting.workers
        return 1 / (1 / self.items_per_second + hand_over)


def settings(cores: int, max_batch_size: int) -> Iterator[Setting]:
    """Give all settings that may suit.

    They have together no more threads than cores, and batches of powers of two. Less
    than all cores is tried for one worker alone, where one request may be slow.
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
    """Choose the trial that serves most items a second and keeps the target.

    Among the trials within a tenth of it, the smallest batch wins, and then the
    shortest p99: a slightly higher speed is not worth a wait.

    Args:
        trials: the trials that were measured.
        latency_ms: the target for the p99 of a run, in milliseconds; None is no target.

    Returns:
        The trial; None if no trial keeps the target.
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
        folder: the folder of a bundle.
        options: the options with which the service would open it.
        tried: the settings; see ``settings``. Neighbours that differ in their batches
            alone share their processes.
        seconds: the time of each setting.
        tell: the function that is called with each finished trial.

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
    """Measure the seconds of each run, in all processes together, by batch size."""
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
    """Run each batch size in this process, as soon as all processes are ready."""
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
        together.abort()  # the others would wait for ever
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
