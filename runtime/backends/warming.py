"""Made-up inputs, with which a model is warmed, tried and timed.

Only a run proves that an engine can run a model. But no input suits every model: one
model takes no text that is not a picture in base64, another divides by its input and
takes no zeros. So several inputs are tried. A model that takes none of them is served
without a warm-up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.backends import Backend, InputRefused, TensorSpec
from runtime.backends.tensors import MAX_NUMBERS, WARMED_SIDE, has_free_axes, shown
from runtime.errors import BackendError

# The least and the greatest number that an input takes, by the input's name.
Ranges = Mapping[str, tuple[float, float]]
# A function that makes a batch ``(N, …)`` of N items for each input, by its name.
Make = Callable[[int], dict[str, NDArray[Any]]]

# Further lengths of a free axis are tried: short ones, and sides of common pictures.
_LENGTHS = (1, 2, 3, 4, 5, 8, 10, 16, 28, 64, 96, 128, 224, 256, 299)
# The trial ends after so many seconds; a model usually refuses an input at once.
_SECONDS = 2.0


@dataclass(frozen=True)
class Warm:
    """The result of a model's first run.

    Attributes:
        make: the function that makes batches of the input that the model took.
        outputs: the answer to one item: arrays ``(1, …)`` of each output's dtype.
        seconds: the time of this run.
    """

    make: Make
    outputs: Mapping[str, NDArray[Any]]
    seconds: float


def warm_up(
    backend: Backend,
    ranges: Ranges | None = None,
    first: Iterable[Make] = (),
    clock: Callable[[], float] = time.perf_counter,
) -> Warm | None:
    """Run one item of the first kind of input that the model takes.

    Args:
        backend: the backend to warm.
        ranges: the ranges that params.json declares.
        first: makers of known inputs, which are tried before others.
        clock: a clock in seconds that never goes back.

    Returns:
        The first run that succeeded; None if the model takes none of these inputs.

    Raises:
        BackendError: an input would hold no numbers, or all inputs together more than
            ``MAX_NUMBERS``; or the engine cannot run the model with any input.
    """
    end = time.monotonic() + _SECONDS
    is_of_shapes = not has_free_axes(backend.inputs) and all(
        spec.dtype.kind in "fc" for spec in backend.inputs
    )
    refusal: InputRefused | None = None
    for make in (*first, *_makes(backend.inputs, ranges or {})):
        one = make(1)
        start = clock()
        try:
            outputs = backend.run(one)
        except InputRefused as ex:
            refusal = ex
            is_of_shapes &= ex.is_of_shapes
            if time.monotonic() > end:
                break
            continue
        return Warm(make, outputs, clock() - start)
    if refusal is not None and is_of_shapes:
        # All sizes are fixed, and no input is a text, an index or a count. So every
        # other input has the same shapes and would fail too.
        raise BackendError(str(refusal)) from refusal
    return None


def _makes(specs: tuple[TensorSpec, ...], ranges: Ranges) -> Iterator[Make]:
    """Give the kinds of input, the likeliest first."""
    for kind in _KINDS:
        yield partial(_batch, specs, ranges, kind, WARMED_SIDE)
    if has_free_axes(specs):
        for length in _LENGTHS:
            yield partial(_batch, specs, ranges, _zeros, length)
        for length in _LENGTHS:
            yield partial(_batch, specs, ranges, _drawn, length)


def _batch(
    specs: tuple[TensorSpec, ...],
    ranges: Ranges,
    kind: Callable[[TensorSpec, list[int], Ranges], NDArray[Any]],
    length: int,
    items: int,
) -> dict[str, NDArray[Any]]:
    batch = {}
    numbers = 0
    for spec in specs:
        shape = [
            (length if axis else items) if n is None else n
            for axis, n in enumerate(spec.shape)
        ]
        if not 0 < math.prod(shape) <= MAX_NUMBERS:
            raise BackendError(
                f"input {spec.name!r} is {shown(spec.shape)}: it must hold 1 to"
                f" {MAX_NUMBERS} numbers"
            )
        # A file of half a kilobyte can declare a hundred such inputs.
        numbers += math.prod(shape)
        if numbers > MAX_NUMBERS:
            raise BackendError(
                f"the inputs of one item together hold more than {MAX_NUMBERS} numbers"
            )
        batch[spec.name] = kind(spec, shape, ranges).astype(spec.dtype)
    return batch


def _zeros(spec: TensorSpec, shape: list[int], ranges: Ranges) -> NDArray[Any]:
    """Return zeros or empty texts; with a range, its least number."""
    if spec.dtype == object:
        return np.full(shape, "", object)
    return np.full(shape, ranges.get(spec.name, (0, 0))[0])


def _ones(spec: TensorSpec, shape: list[int], ranges: Ranges) -> NDArray[Any]:
    """Return ones, for texts too; with a range, its greatest number."""
    if spec.dtype == object:
        return np.full(shape, "1", object)
    return np.full(shape, ranges.get(spec.name, (1, 1))[1])


def _identity(spec: TensorSpec, shape: list[int], ranges: Ranges) -> NDArray[Any]:
    """Return matrices with an inverse, a root and a logarithm; else ones."""
    is_matrix = len(shape) > 1 and shape[-1] == shape[-2] and spec.dtype.kind in "fc"
    if not is_matrix or spec.name in ranges:
        return _ones(spec, shape, ranges)
    return np.broadcast_to(np.eye(shape[-1]), shape)


def _drawn(spec: TensorSpec, shape: list[int], ranges: Ranges) -> NDArray[Any]:
    """Draw numbers of the range, or else between 1 and 2 (whole ones: 1 or 2)."""
    if spec.dtype == object:
        return np.full(shape, "1", object)
    low, high = ranges.get(spec.name, (1, 2))
    generator = np.random.default_rng(0)
    if spec.dtype.kind == "f":
        return np.asarray(generator.uniform(low, high, shape))
    return np.asarray(np.floor(generator.uniform(low, high + 1, shape)))


_KINDS = (_zeros, _ones, _identity, _drawn)
