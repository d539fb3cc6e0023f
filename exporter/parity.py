"""The proof: the TensorFlow model and its ONNX, asked the same questions.

Both answer through the very backends that serve, so that what is proved is what a
client gets.
"""

from __future__ import annotations

import importlib.metadata
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle import __version__
from bundle.folder import Sample
from bundle.manifest import sha256_of
from bundle.params import Preprocess
from bundle.parity import Case, Parity
from bundle.preprocess import preprocess
from runtime.backends import WARMED_SIDE, Backend, TensorSpec

# float32 in another order of additions: 6e-8 is what the MNIST CNN shows.
ATOL = 1e-5
RTOL = 1e-4
# One item, a pair, an odd number, and a large batch: kernels differ between them.
BATCH_SIZES = (1, 2, 7, 32)
# Enough for a steady median on a busy machine, and no more seconds of a large model.
TIMED_RUNS = 50
TIMED_SECONDS = 2.0
# Of an axis that the model leaves free, where it is no side of a picture.
FREE_LENGTH = 8
# A number against NaN: JSON has no infinity, and this leaves room to divide by.
APART = 1e300

Batch = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Tolerance:
    """How far a value may be from TensorFlow's: ``atol + rtol * |value|``.

    A best class may be another where the two are so near to each other.
    """

    atol: float = ATOL
    rtol: float = RTOL


FP32 = Tolerance()


def prove(
    tensorflow: Backend,
    onnx: Backend,
    onnx_path: Path,
    how: Preprocess,
    sample: Sample | None,
    saved_model: str = "",
    tolerance: Tolerance | None = FP32,
) -> Parity:
    """Compare two backends of one model.

    Args:
        tensorflow: the reference.
        onnx: the candidate, opened from ``onnx_path``.
        onnx_path: whose sha256 the report bears.
        how: params.json's ``preprocess``.
        sample: real images, if the bundle carries some.
        saved_model: the reference's digest, which the report bears.
        tolerance: None takes any number for any other, of the same shape and as finite:
            another measure decides, and this is for people to read.

    Returns:
        The report; ``passed`` says whether the candidate may serve.
    """
    specs = tensorflow.inputs
    kinds = draw_items(specs, how, sample)
    sizes = batch_sizes_of(specs, BATCH_SIZES)
    cases = [
        _compare(name, batches_of(items, size), tensorflow, onnx, tolerance)
        for size in sizes
        for name, items in kinds.items()
    ]
    first = batches_of(next(iter(kinds.values())), sizes[0])[0]
    return Parity(
        passed=all(case.passed for case in cases),
        sha256=sha256_of(onnx_path),
        atol=tolerance.atol if tolerance else 0.0,
        rtol=tolerance.rtol if tolerance else 0.0,
        max_abs_diff=max(case.max_abs_diff for case in cases),
        max_rel_diff=max(case.max_rel_diff for case in cases),
        top1_agreement=min(case.top1_agreement for case in cases),
        samples=sum(case.samples for case in cases),
        milliseconds_per_image={
            backend.name: _milliseconds(backend, first)
            for backend in (tensorflow, onnx)
        },
        versions=_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        cases=tuple(cases),
        saved_model=saved_model,
    )


def batch_sizes_of(
    specs: tuple[TensorSpec, ...], sizes: tuple[int, ...]
) -> tuple[int, ...]:
    """The sizes that are wanted; of a model with a fixed batch, that one alone."""
    fixed = specs[0].shape[0] if specs and specs[0].shape else None
    return (fixed,) if fixed else sizes


def draw_items(
    specs: tuple[TensorSpec, ...], how: Preprocess, sample: Sample | None
) -> dict[str, Batch]:
    """Inputs for a model, by their kind: ``sample``, ``random``, ``zeros`` or so."""
    return _image_items(specs, how, sample) or _tensor_items(specs)


def batches_of(items: Batch, size: int) -> list[Batch]:
    """Every item at least once, in whole batches only."""
    count = len(next(iter(items.values())))
    rows = np.arange(-(-count // size) * size) % count
    return [
        {name: array[chunk] for name, array in items.items()}
        for chunk in rows.reshape(-1, size)
    ]


def _image_items(
    specs: tuple[TensorSpec, ...], how: Preprocess, sample: Sample | None
) -> dict[str, Batch] | None:
    """Pictures for a model that takes pictures, all through the shared preprocess."""
    if len(specs) != 1 or len(specs[0].shape) != 4:
        return None
    (spec,) = specs
    _, height, width, channels = spec.shape
    size = how.size or (height or WARMED_SIDE, width or WARMED_SIDE)
    pixels = (*size, channels or 1)
    random = np.random.default_rng(0).integers(0, 256, (32, *pixels), np.uint8)
    pictures = {
        "random": random,
        "zeros": np.zeros((1, *pixels), np.uint8),
        "white": np.full((1, *pixels), 255, np.uint8),
    }
    if sample is not None:
        pictures = {"sample": sample.images, **pictures}
    shape = (height, width, channels)
    return {
        name: {
            spec.name: np.stack([preprocess(i, how, shape, spec.dtype) for i in images])
        }
        for name, images in pictures.items()
    }


def _tensor_items(specs: tuple[TensorSpec, ...]) -> dict[str, Batch]:
    """Arrays for any other model: a unit normal where numbers are real."""
    generator = np.random.default_rng(0)

    def draw(spec: TensorSpec, kind: str) -> NDArray[Any]:
        shape = (32, *(n or FREE_LENGTH for n in spec.shape[1:]))
        if kind == "zeros":
            return np.zeros(shape, spec.dtype)
        if kind == "ones":
            return np.ones(shape, spec.dtype)
        if spec.dtype.kind == "f":
            return generator.standard_normal(shape).astype(spec.dtype)
        # Indices and flags: small enough to be in range of any embedding.
        return generator.integers(0, 2, shape).astype(spec.dtype)

    return {
        kind: {spec.name: draw(spec, kind) for spec in specs}
        for kind in ("random", "zeros", "ones")
    }


def _compare(
    name: str,
    batches: list[Batch],
    tensorflow: Backend,
    onnx: Backend,
    tolerance: Tolerance | None,
) -> Case:
    size = len(next(iter(batches[0].values())))
    abs_diff, rel_diff, same, within = 0.0, 0.0, [], True
    for batch in batches:
        expected, answered = tensorflow.run(batch), onnx.run(batch)
        for spec in tensorflow.outputs:
            want, got = expected[spec.name], answered[spec.name]
            if want.shape != got.shape or want.dtype.kind not in "fiub":
                within = within and want.shape == got.shape and (want == got).all()
                continue
            difference = _difference(want, got)
            abs_diff = max(abs_diff, float(difference.max(initial=0.0)))
            # Of NaN and infinity nothing but the same is near.
            scale = np.where(np.isfinite(want), np.abs(want.astype(np.float64)), 0.0)
            if tolerance is None:
                within = within and bool((difference < APART).all())
            else:
                allowed = tolerance.atol + tolerance.rtol * scale
                within = within and bool((difference <= allowed).all())
            # Below atol the absolute tolerance decides: 1e-30 against 2e-30 is
            # a relative difference of one, and no difference.
            relative = difference[scale > ATOL] / scale[scale > ATOL]
            rel_diff = max(rel_diff, float(relative.max(initial=0.0)))
            if want.ndim >= 2 and want.shape[-1] > 1:
                same.append(_same_top1(want, got, tolerance))
    agreement = float(np.concatenate(same).mean()) if same else 1.0
    return Case(
        inputs=name,
        batch_size=size,
        samples=size * len(batches),
        max_abs_diff=abs_diff,
        max_rel_diff=rel_diff,
        top1_agreement=agreement,
        passed=bool(within) and (tolerance is None or agreement == 1.0),
    )


def _difference(want: NDArray[Any], got: NDArray[Any]) -> NDArray[np.float64]:
    """``|got - want|``; the same NaN or infinity is none, another is ``APART``."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
    same = (want == got) | (np.isnan(want) & np.isnan(got))
    return np.where(same, 0.0, np.nan_to_num(difference, nan=APART, posinf=APART))


def _same_top1(
    want: NDArray[Any], got: NDArray[Any], tolerance: Tolerance | None
) -> NDArray[np.bool_]:
    """Whether the best class is the same; a tie within tolerance has two best."""
    chosen = np.argmax(got, axis=-1)
    is_same = chosen == np.argmax(want, axis=-1)
    best = want.max(axis=-1).astype(np.float64)
    of_chosen = np.take_along_axis(want, chosen[..., np.newaxis], axis=-1)[..., 0]
    near = tolerance or FP32
    with np.errstate(invalid="ignore"):
        is_tie = best - of_chosen <= near.atol + near.rtol * np.abs(best)
    same: NDArray[np.bool_] = is_same | (np.isfinite(best) & is_tie)
    return same.reshape(-1)


def _milliseconds(backend: Backend, batch: Batch) -> float:
    """Median time of one run, by item."""
    backend.run(batch)
    times: list[float] = []
    end = time.perf_counter() + TIMED_SECONDS
    while len(times) < TIMED_RUNS and time.perf_counter() < end:
        start = time.perf_counter()
        backend.run(batch)
        times.append(time.perf_counter() - start)
    items = len(next(iter(batch.values())))
    return round(float(np.median(times)) * 1000 / items, 4)


def _versions() -> Mapping[str, str]:
    versions = {"tfaas-onnx": __version__, "python": sys.version.split()[0]}
    names = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "numpy")
    by_module = importlib.metadata.packages_distributions()
    for name in names:
        # tensorflow-cpu is the distribution that installs the module tensorflow.
        for distribution in by_module.get(name, [])[:1]:
            versions[name] = importlib.metadata.version(distribution)
    return versions
