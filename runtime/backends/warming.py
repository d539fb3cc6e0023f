"""Inputs that nobody sent, by which a model is warmed, tried and timed.

Only a run proves that an engine can run a model. But few inputs are taken by every
model: a picture in base64 is not, nor is a zero that something is divided by. So
several are tried; and a model that takes none of them is not warmed, and is served.
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

# By an input's name, the least and the greatest number that it takes.
Ranges = Mapping[str, tuple[float, float]]
# Makes a batch of so many items.
Make = Callable[[int], dict[str, NDArray[Any]]]

# Other lengths of a free axis: short ones, and the sides of common networks' pictures.
_LENGTHS = (1, 2, 3, 4, 5, 8, 10, 16, 28, 64, 96, 128, 224, 256, 299)
# A model that refuses what is tried answers so at once, as a rule.
_SECONDS = 2.0


@dataclass(frozen=True)
class Warm:
    """A model that was run.

    Attributes:
        make: gives batches of the input that it took.
        outputs: what it answered to one item.
        seconds: that this took.
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
    """Run one item, of the first kind of input that the model takes.

    Args:
        backend: to be warmed.
        ranges: that params.json declares.
        first: inputs that are known, to be tried before others.
        clock: seconds that only go on.

    Returns:
        None if the model takes none of what is tried.

    Raises:
        BackendError: an input would hold no numbers, or all together more than
            ``MAX_NUMBERS``; or the engine cannot run the model, whatever it is given.
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
        # All sizes are told, and no number is text, index or count: no other input
        # has other shapes.
        raise BackendError(str(refusal)) from refusal
    return None


def _makes(specs: tuple[TensorSpec, ...], ranges: Ranges) -> Iterator[Make]:
    """Kinds of input, the likeliest first."""
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
        # A file of half a kilobyte can claim a hundred such inputs.
        numbers += math.prod(shape)
        if numbers > MAX_NUMBERS:
            raise BackendError(
                f"the inputs of one item together hold more than {MAX_NUMBERS} numbers"
            )
        batch[spec.name] = kind(spec, shape, ranges).astype(spec.dtype)
    return batch


def _zeros(spec: TensorSpec, shape: list[int], ranges: Ranges) -> NDArray[Any]:
    """Zeros, empty texts; of a range, its least number."""
    if spec.dtype == object:
        return np.full(shape, "", object)
    return np.full(shape, ranges.get(spec.name, (0, 0))[0])


def _ones(spec: TensorSpec, shape: list[int], ranges: Ranges) -> NDArray[Any]:
    """Ones, also as texts; of a range, its greatest number."""
    if spec.dtype == object:
        return np.full(shape, "1", object)
    return np.full(shape, ranges.get(spec.name, (1, 1))[1])


def _identity(spec: TensorSpec, shape: list[int], ranges: Ranges) -> NDArray[Any]:
    """Matrices that have an inverse, a root and a logarithm; else ones."""
    is_matrix = len(shape) > 1 and shape[-1] == shape[-2] and spec.dtype.kind in "fc"
    if not is_matrix or spec.name in ranges:
        return _ones(spec, shape, ranges)
    return np.broadcast_to(np.eye(shape[-1]), shape)


def _drawn(spec: TensorSpec, shape: list[int], ranges: Ranges) -> NDArray[Any]:
    """Numbers of the range; without one, between 1 and 2: whole ones are either."""
    if spec.dtype == object:
        return np.full(shape, "1", object)
    low, high = ranges.get(spec.name, (1, 2))
    generator = np.random.default_rng(0)
    if spec.dtype.kind == "f":
        return np.asarray(generator.uniform(low, high, shape))
    return np.asarray(np.floor(generator.uniform(low, high + 1, shape)))


_KINDS = (_zeros, _ones, _identity, _drawn)
