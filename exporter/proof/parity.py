"""The proof: give the TensorFlow model and its ONNX the same inputs, and compare.

Both answer through the backends of the service, so the proof holds for the answers that
a client gets.
"""

from __future__ import annotations

import importlib.metadata
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle import __version__
from bundle.agreement import APART, compare
from bundle.manifest import sha256_of
from bundle.params import Preprocess
from bundle.parity import Case, Parity, Worst
from bundle.sample import RowSample, Sample
from bundle.tolerance import SINGLE, Tolerance
from exporter.errors import DrawsNumbers
from exporter.proof.draws import Batch, Draw, Lengths, Ranges, Traits
from exporter.proof.settling import refused, settle
from runtime.backends import Backend
from runtime.errors import BackendError

# One item, a pair, an odd number and a large batch: engines use different kernels for
# them.
BATCH_SIZES = (1, 2, 7, 32)
# So many runs give a steady median on a busy machine; the time limit ends them earlier
# for a large model.
TIMED_RUNS = 50
TIMED_SECONDS = 2.0
# After so many seconds a case starts no further batch. Each case has at least one.
CASE_SECONDS = 10.0
# The batch sizes and the seconds of each, where the latency is measured for the report.
# Sixteen times 0.15 s is less than the import of TensorFlow takes.
LATENCY_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
LATENCY_SECONDS = 0.15
# The differences are counted between these bounds. float32 loses some 1e-7 of a
# probability, and the tolerance ends some decades above it.
_BOUNDS = tuple(10.0**power for power in range(-10, 1))
_BINS = ("0", *(f"{bound:.0e}" for bound in _BOUNDS), "more")
# The share of a value that float32 itself loses in some additions.
_NOISE = 2e-6
# The modules whose versions the report has, and the distributions that install each.
# They are named here, because importlib.metadata needs a third of a second to find the
# distribution of a module: it reads the lists of files of all distributions.
_DISTRIBUTIONS = {
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
    "keras": ("keras",),
    "tf2onnx": ("tf2onnx",),
    "onnx": ("onnx",),
    "onnxslim": ("onnxslim",),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime"),
    "numpy": ("numpy",),
}


def prove(
    tensorflow: Backend,
    onnx: Backend,
    onnx_path: Path,
    how: Preprocess,
    sample: Sample | RowSample | None,
    saved_model: str = "",
    ranges: Ranges | None = None,
    traits: Traits | None = None,
    lengths: Lengths | None = None,
    tolerance: Tolerance = SINGLE,
    report: Callable[[str], None] = lambda step: None,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    timed_runs: int = TIMED_RUNS,
    latency_sizes: Sequence[int] = (),
    clock: Callable[[], float] = time.perf_counter,
) -> Parity:
    """Compare two backends of one model.

    Args:
        tensorflow: the reference.
        onnx: the candidate, opened from ``onnx_path``.
        onnx_path: the ONNX file; the report has its sha256.
        how: params.json's ``preprocess``.
        sample: real images or rows, if the bundle has some.
        saved_model: the digest of the reference, for the report.
        ranges: see ``exporter.proof.draws.draws``.
        traits: see there.
        lengths: see there.
        tolerance: the largest allowed differences.
        report: is called with each step as it begins.
        batch_sizes: the batch sizes, if the first axis of the model is free.
        timed_runs: the largest number of timed runs of each engine; the report has
            their median time.
        latency_sizes: measure both engines at these batch sizes, too, if the ONNX is
            proved and its first axis is free.
        clock: a clock in seconds that only goes forward.

    Returns:
        The report; ``passed`` says whether the candidate may serve.

    Raises:
        NotDrawn: TensorFlow itself accepts none of the inputs that are drawn.
        ExportError: TensorFlow gives two answers to the same input.
        BackendError: an engine refuses an input that it must accept.
    """
    fixed = {s.shape[0] for s in tensorflow.inputs if s.shape and s.shape[0]}
    is_free = any(s.shape[:1] == (None,) for s in tensorflow.inputs)
    sizes = tuple(batch_sizes) if is_free else (min(fixed, default=1),)
    kinds = settle(tensorflow, how, sample, ranges, traits, lengths)
    first = next(kinds[0].batches(sizes[0]))
    _check_answers_alike(tensorflow, first, tolerance)
    comparison = _Comparison(tensorflow, onnx, tolerance)
    cases = []
    for size in sizes:
        for kind in kinds:
            report(f"proving: {kind.name}, batch {size}")
            if case := comparison.compare(kind, size, may_skip=size > sizes[0]):
                cases.append(case)
    share = comparison.share_of_spread()
    is_proved = (
        all(case.passed for case in cases)
        and share <= tolerance.spread
        and comparison.is_repeatable
    )
    by_batch: dict[str, dict[str, float]] = {}
    if latency_sizes and is_proved and is_free:
        report("timing")
        by_batch = _by_batch((tensorflow, onnx), kinds[0], latency_sizes, clock)
    return Parity(
        passed=is_proved,
        sha256=sha256_of(onnx_path),
        atol=tolerance.atol,
        rtol=tolerance.rtol,
        max_abs_diff=max(case.max_abs_diff for case in cases),
        max_rel_diff=max(case.max_rel_diff for case in cases),
        max_logit_diff=max(case.max_logit_diff for case in cases),
        share_of_spread=share,
        top1_agreement=min(case.top1_agreement for case in cases),
        is_repeatable=comparison.is_repeatable,
        samples=sum(case.samples for case in cases),
        milliseconds_per_image={
            backend.name: round(
                _milliseconds(backend, first, timed_runs, TIMED_SECONDS, clock)
                / sizes[0],
                4,
            )
            for backend in (tensorflow, onnx)
        },
        milliseconds_by_batch=by_batch,
        differences=comparison.differences(),
        versions=_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        worst=comparison.worst,
        cases=tuple(cases),
        saved_model=saved_model,
    )


def worst_input(
    backend: Backend,
    worst: Worst,
    how: Preprocess,
    sample: Sample | RowSample | None,
    ranges: Ranges | None = None,
    traits: Traits | None = None,
    lengths: Lengths | None = None,
) -> Batch:
    """Draw the batch again that a report names as the worst.

    Args:
        backend: the backend of TensorFlow.
        worst: the worst element of the report.
        how: see ``prove``.
        sample: see ``prove``.
        ranges: see ``prove``.
        traits: see ``prove``.
        lengths: see ``prove``.

    Returns:
        Arrays ``(N, …)`` in the inputs' dtypes, by the inputs' names.
    """
    settled = settle(backend, how, sample, ranges, traits, lengths)
    kinds = {kind.name: kind for kind in settled}
    batches = kinds[worst.inputs].batches(worst.batch_size)
    return next(batch for index, batch in enumerate(batches) if index == worst.batch)


def _check_answers_alike(backend: Backend, batch: Batch, tolerance: Tolerance) -> None:
    """Refuse a model that draws numbers at random: nothing could be proved."""
    if not _are_alike(backend.run(batch), backend.run(batch), tolerance):
        raise DrawsNumbers(
            "TensorFlow answers the same input in two ways: the model draws numbers at"
            " random, or keeps a state, and an ONNX cannot do the same"
        )


@dataclass
class _Spread:
    """The range of one output over all inputs that were drawn at random."""

    low: float = np.inf
    high: float = -np.inf
    difference: float = 0.0

    def add(self, want: NDArray[Any], difference: NDArray[np.float64]) -> None:
        numbers = want[np.isfinite(want)]
        if numbers.size:
            self.low = min(self.low, float(numbers.min()))
            self.high = max(self.high, float(numbers.max()))
            self.difference = max(self.difference, float(difference.max()))

    def share(self) -> float:
        """The largest difference, as a share of the range of the answers.

        It is 0 if the difference is not larger than float32's own noise.
        """
        if self.difference <= _NOISE * max(abs(self.low), abs(self.high)):
            return 0.0
        return self.difference / max(self.high - self.low, 1e-12)


@dataclass
class _Comparison:
    """Asks both engines, and keeps the worst answer."""

    tensorflow: Backend
    onnx: Backend
    tolerance: Tolerance
    is_repeatable: bool = True
    worst: Worst | None = None
    _excess: float = -1.0
    _counts: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(_BINS), np.int64)
    )
    _spreads: dict[str, _Spread] = field(default_factory=dict)

    def compare(self, kind: Draw, size: int, *, may_skip: bool) -> Case | None:
        """Compare one kind of input at one batch size; None if TensorFlow refuses it.

        Raises:
            BackendError: ONNX Runtime refuses an input that TensorFlow accepts, or
                TensorFlow refuses one that it must accept.
        """
        tally = _Tally()
        end = time.monotonic() + CASE_SECONDS
        for index, batch in enumerate(kind.batches(size)):
            if index and time.monotonic() > end:
                break
            try:
                expected = self.tensorflow.run(batch)
            except BackendError:
                if kind.may_be_refused:
                    continue
                if may_skip and not index:
                    return None
                raise refused(self.tensorflow.inputs, kind.name, size) from None
            answered = self.onnx.run(batch)
            if not tally.samples and self.is_repeatable:
                again = self.onnx.run(batch)
                self.is_repeatable = _are_alike(answered, again, self.tolerance)
            tally.samples += size
            for spec in self.tensorflow.outputs:
                where = Worst(kind.name, size, index, spec.name, (), 0.0, 0.0)
                self._compare_output(
                    where, expected[spec.name], answered[spec.name], tally
                )
        if not tally.samples:
            return None
        same = np.concatenate([*tally.same, [True]])
        agreement = float(same[:-1].mean()) if same.size > 1 else 1.0
        return Case(
            inputs=kind.name,
            batch_size=size,
            samples=tally.samples,
            max_abs_diff=tally.abs_diff,
            max_rel_diff=tally.rel_diff,
            max_logit_diff=tally.logit_diff,
            top1_agreement=agreement,
            passed=tally.is_within and agreement == 1.0,
        )

    def share_of_spread(self) -> float:
        """The largest share of all outputs; see ``Tolerance.spread``."""
        return max((spread.share() for spread in self._spreads.values()), default=0.0)

    def differences(self) -> dict[str, int]:
        """The number of compared numbers by difference; see ``Parity``."""
        return dict(zip(_BINS, self._counts.tolist(), strict=True))

    def _compare_output(
        self, where: Worst, want: NDArray[Any], got: NDArray[Any], tally: _Tally
    ) -> None:
        seen = compare(want, got, self.tolerance)
        tally.is_within &= seen.is_within
        difference = seen.difference
        if difference is None:
            return
        places = np.searchsorted((0.0, *_BOUNDS), difference.ravel())
        self._counts += np.bincount(places, minlength=len(_BINS))
        tally.abs_diff = max(tally.abs_diff, seen.abs_diff)
        tally.rel_diff = max(tally.rel_diff, seen.rel_diff)
        tally.logit_diff = max(tally.logit_diff, seen.logit_diff)
        self._keep_worst(where, want, got, seen.excess)
        if want.dtype.kind == "f" and where.inputs in ("random", "sample"):
            self._spreads.setdefault(where.output, _Spread()).add(want, difference)
        tally.same.append(seen.same)

    def _keep_worst(
        self,
        where: Worst,
        want: NDArray[Any],
        got: NDArray[Any],
        excess: NDArray[np.float64],
    ) -> None:
        if not excess.size or not excess.max() > self._excess:
            return
        self._excess = float(excess.max())
        element = np.unravel_index(int(excess.argmax()), excess.shape)
        self.worst = Worst(
            inputs=where.inputs,
            batch_size=where.batch_size,
            batch=where.batch,
            output=where.output,
            element=tuple(int(n) for n in element),
            expected=_number(want[element]),
            answered=_number(got[element]),
        )


@dataclass
class _Tally:
    """The largest differences of one case."""

    samples: int = 0
    abs_diff: float = 0.0
    rel_diff: float = 0.0
    logit_diff: float = 0.0
    is_within: bool = True
    same: list[NDArray[np.bool_]] = field(default_factory=list)


def _number(value: Any) -> float:
    """A finite number, because JSON has neither NaN nor infinity."""
    return float(np.nan_to_num(float(value), nan=APART, posinf=APART, neginf=-APART))


def _are_alike(once: Batch, again: Batch, tolerance: Tolerance) -> bool:
    """Whether answers are equal but for the order of sums in several threads."""
    return all(
        np.allclose(answer, again[name], tolerance.rtol, tolerance.atol, equal_nan=True)
        for name, answer in once.items()
        if answer.dtype.kind in "fiub"
    )


def _by_batch(
    backends: Sequence[Backend],
    kind: Draw,
    sizes: Sequence[int],
    clock: Callable[[], float],
) -> dict[str, dict[str, float]]:
    """The milliseconds of a run, by batch size and engine; see ``Parity``.

    A batch size that an engine refuses is left out. A slow model gets no larger one.
    """
    found: dict[str, dict[str, float]] = {}
    for size in sizes:
        with suppress(BackendError):
            batch = next(kind.batches(size))
            found[str(size)] = {
                backend.name: round(
                    _milliseconds(backend, batch, TIMED_RUNS, LATENCY_SECONDS, clock), 4
                )
                for backend in backends
            }
            if max(found[str(size)].values()) > LATENCY_SECONDS * 1000:
                break
    return found


def _milliseconds(
    backend: Backend,
    batch: Batch,
    runs: int,
    seconds: float,
    clock: Callable[[], float],
) -> float:
    """The median time of one run of the batch."""
    backend.run(batch)
    times: list[float] = []
    end = clock() + seconds
    # One run is timed in any case, also where another process took the time.
    while len(times) < runs and (clock() < end or not times):
        start = clock()
        backend.run(batch)
        times.append(clock() - start)
    return float(np.median(times)) * 1000


@cache
def _versions() -> Mapping[str, str]:
    """The installed versions; to read them takes milliseconds."""
    versions = {"tfaas-onnx": __version__, "python": sys.version.split()[0]}
    for name, distributions in _DISTRIBUTIONS.items():
        for distribution in distributions:
            with suppress(importlib.metadata.PackageNotFoundError):
                versions[name] = importlib.metadata.version(distribution)
                break
    return versions
