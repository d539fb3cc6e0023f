"""Compare a variant with the model.onnx that it was made from: accuracy and speed.

Both run in the service's own backend, on one thread, in turn, so that other work of the
machine slows both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.parity import Trial
from exporter.proof.draws import Batch
from exporter.proof.parity import TIMED_RUNS, TIMED_SECONDS
from exporter.variants.calibration import Items, batch_size
from runtime.backends import Backend
from runtime.backends.onnx import CUDA

# Percentage points of accuracy, of equal best classes, or of explained variance.
MAX_DROP = 0.5
# One picture of a single request, and as many as the service runs at once.
TIMED_BATCHES = (1, 32)

# A measure: its name, the value of fp32 and the value of the variant.
_Measured = tuple[str, float, float]


def try_variant(
    fp32: Backend,
    variant: Backend,
    items: Items,
    *,
    main_output: str,
    for_cuda: bool,
    calibrated_on: str = "",
) -> Trial:
    """Measure the accuracy and speed of a variant against fp32.

    Args:
        fp32: the opened model.onnx.
        variant: the opened variant, on the same device.
        items: real items, or drawn ones if there are none.
        main_output: the output whose classes the labels are.
        for_cuda: whether it is made for CUDA; its speed elsewhere tells nothing.
        calibrated_on: a description of the calibration's items, for the report.
    """
    measure, ours, theirs = max(
        _measures(fp32, variant, items, main_output), key=lambda m: m[1] - m[2]
    )
    times: dict[str, dict[str, float]] = {}
    remark = ""
    if for_cuda and variant.device != CUDA:
        remark = "speed not judged, and proved with casts to float32: no CUDA here"
    else:
        times = _times(fp32, variant, items)
    ratios = [by["variant"] / by["fp32"] for by in times.values()]
    return Trial(
        measure=measure,
        items=len(items),
        fp32=ours,
        variant=theirs,
        drop=round(100 * (ours - theirs), 6),
        calibrated_on=calibrated_on,
        provider=variant.device,
        milliseconds=times,
        speed=max(ratios, default=None),
        remark=remark,
    )


def refusal_of(trial: Trial, name: str) -> str:
    """Tell with numbers why a variant is not worth having; empty if it is.

    Args:
        trial: the numbers of the variant.
        name: the name of its file.
    """
    if trial.drop > MAX_DROP:
        return (
            f"{name} loses {trial.drop:.2f} percentage points ({trial.measure}"
            f" {trial.fp32:.2%} to {trial.variant:.2%}, on {trial.items} items;"
            f" {MAX_DROP} are allowed)"
        )
    if trial.speed is not None and trial.speed > 1:
        times = ", ".join(
            f"{by['variant']:.3f} ms against {by['fp32']:.3f} at batch {size}"
            for size, by in trial.milliseconds.items()
        )
        return f"{name} is slower than fp32 here ({trial.provider}: {times})"
    return ""


def _measures(
    fp32: Backend, variant: Backend, items: Items, main_output: str
) -> Iterator[_Measured]:
    ours, theirs = _answers(fp32, items), _answers(variant, items)
    for name, want in ours.items():
        got = theirs[name]
        if want.shape != got.shape:
            yield "equal", 1.0, 0.0
        elif name == main_output and items.labels is not None and want.ndim == 2:
            yield (
                "accuracy",
                float((_classes(want) == items.labels).mean()),
                float((_classes(got) == items.labels).mean()),
            )
        elif want.dtype.kind != "f":
            yield "equal", 1.0, float((want == got).mean())
        elif _is_distribution(want):
            same = want.argmax(axis=-1) == got.argmax(axis=-1)
            yield "top-1", 1.0, float(same.mean())
        else:
            yield "R2", 1.0, _explained(want, got)


def _answers(backend: Backend, items: Items) -> dict[str, NDArray[Any]]:
    size = batch_size(backend.inputs, TIMED_BATCHES[-1])
    runs = [backend.run(batch) for batch in items.batches(size)]
    answers = {}
    for spec in backend.outputs:
        joined = np.concatenate([np.atleast_1d(run[spec.name]) for run in runs])
        # The last batch is filled up with the first items. Outputs that do not have one
        # row for each item are compared as they are.
        is_by_item = len(joined) == size * len(runs)
        answers[spec.name] = joined[: len(items)] if is_by_item else joined
    return answers


def _classes(scores: NDArray[Any]) -> NDArray[np.intp]:
    """The best class of each row; a single score tells between two classes."""
    if scores.shape[1] == 1:
        return (scores[:, 0] >= 0.5).astype(np.intp)
    classes: NDArray[np.intp] = scores.argmax(axis=1)
    return classes


def _is_distribution(scores: NDArray[Any]) -> bool:
    """Whether each row holds probabilities, so that its best class is what counts."""
    if scores.ndim < 2 or scores.shape[-1] < 2:
        return False
    is_whole = np.allclose(scores.sum(axis=-1, dtype=np.float64), 1, atol=1e-3)
    return is_whole and bool((scores >= 0).all())


def _explained(want: NDArray[Any], got: NDArray[Any]) -> float:
    """R2, the share of the variance between items that is kept; 1 is all of it."""
    wanted, given = want.astype(np.float64), got.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        lost = float(((given - wanted) ** 2).sum())
        variance = float(((wanted - wanted.mean(axis=0)) ** 2).sum())
    if not np.isfinite(lost) or not np.isfinite(variance):
        return 0.0
    if variance == 0:
        return 1.0 if lost == 0 else 0.0
    # A value below 0 is told as 0, which means that nothing is explained.
    return max(0.0, 1 - lost / variance)


def _times(
    fp32: Backend, variant: Backend, items: Items
) -> dict[str, dict[str, float]]:
    sizes = {batch_size(fp32.inputs, wanted) for wanted in TIMED_BATCHES}
    return {
        str(size): _interleaved(fp32, variant, items.batches(size)[0])
        for size in sorted(sizes)
    }


def _interleaved(fp32: Backend, variant: Backend, batch: Batch) -> dict[str, float]:
    """The median milliseconds of one run of each."""
    seconds: dict[str, list[float]] = {"fp32": [], "variant": []}
    both = (("fp32", fp32), ("variant", variant))
    for _, backend in both:
        backend.run(batch)
    end = time.perf_counter() + TIMED_SECONDS
    while len(seconds["fp32"]) < TIMED_RUNS and time.perf_counter() < end:
        for name, backend in both:
            start = time.perf_counter()
            backend.run(batch)
            seconds[name].append(time.perf_counter() - start)
    # A run that takes longer than the whole time limit was timed once.
    return {name: round(float(np.median(s)) * 1000, 4) for name, s in seconds.items()}
