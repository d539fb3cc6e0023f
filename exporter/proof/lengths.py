"""Find the lengths that a model accepts for the axes that its signature leaves free.

A signature that was written by hand often leaves more axes free than the model does: a
product with a matrix of 3 rows takes only rows of 3 numbers, also if the signature says
``TensorSpec([None, None])``.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.errors import NotDrawn, SourceError
from exporter.proof.draws import FREE_LENGTH, OTHER, Lengths, Ranges
from runtime.backends import Backend, InputRefused, TensorSpec
from runtime.backends.saved_model import Signature, TensorFlowBackend
from runtime.backends.tensors import MAX_NUMBERS, WARMED_SIDE
from runtime.errors import BackendError

# An axis: the input's name, and the axis's number.
Axis = tuple[str, int]
# A shape that somebody gave; None is an axis that stays free.
Shapes = Mapping[str, tuple[int | None, ...]]

# These lengths are tried if nothing tells one: all short ones, and the usual sides of
# pictures and rows.
_COMMON = (*range(1, 65), *range(96, 545, 32), 299, 331, 768, 784, 1000, 1024, 3072)
# These steps lead from an accepted length to others, which tell whether the axis is
# free.
_STEPS = (1, -1, 2, 3)
_TRIES = 600
# So many lengths are tried although TensorFlow does not say that a shape is wrong.
_BLIND = 150
_SECONDS = 20.0
# The greatest number in TensorFlow's message that may be a length.
_MOST = 1 << 16


def with_shapes(backend: TensorFlowBackend, shapes: Shapes) -> TensorFlowBackend:
    """Give a backend's inputs the shapes that somebody gave.

    Raises:
        SourceError: there is no such input, or it has another shape.
        BackendError: TensorFlow cannot run the model with these shapes.
    """
    if not shapes:
        return backend
    inputs = dict(backend.signature.inputs)
    for name, shape in shapes.items():
        if name not in inputs:
            raise SourceError(
                f"there is no input {name!r} to give a shape to; the inputs are"
                f" {', '.join(sorted(inputs))}"
            )
        had = inputs[name].shape.as_list()
        fits = len(had) == len(shape) and all(
            n is None or was in (None, n) for was, n in zip(had, shape, strict=False)
        )
        if not fits:
            raise SourceError(
                f"input {name!r} cannot have the shape {_shown(shape)}: the signature"
                f" says {_shown(had)}"
            )
        told = [was if n is None else n for was, n in zip(had, shape, strict=True)]
        kind = type(inputs[name])
        inputs[name] = kind(told, inputs[name].dtype, name=inputs[name].name)
    signature = Signature(backend.signature.call, inputs, backend.signature.outputs)
    return TensorFlowBackend(signature)


def _shown(shape: Sequence[int | None]) -> str:
    return ",".join("N" if n is None else str(n) for n in shape)


@dataclass(frozen=True)
class Found:
    """The result of trying lengths.

    Attributes:
        fixed: the shapes of inputs that have an axis with only one accepted length.
        lengths: two accepted lengths of each axis that takes several, but not the usual
            ones.
    """

    fixed: Shapes = field(default_factory=dict)
    lengths: Lengths = field(default_factory=dict)


def find_lengths(backend: Backend, ranges: Ranges) -> Found:
    """Try lengths of the free axes until the model accepts some.

    Args:
        backend: the backend of TensorFlow.
        ranges: the ranges of inputs, as far as somebody said.

    Raises:
        NotDrawn: the model accepts none of the lengths that were tried; the sentence
            names the axes.
    """
    axes = [
        (spec.name, axis)
        for spec in backend.inputs
        for axis, n in enumerate(spec.shape)
        if axis and n is None
    ]
    if not axes:
        return Found()
    search = _Search(backend, ranges, axes)
    usual = tuple(_usual(backend.inputs, name, axis) for name, axis in axes)
    if search.takes(usual):
        return Found()
    taken = next(filter(search.takes, search.candidates(usual)), None)
    if taken is None and not search.was_of_shapes:
        return Found()  # the numbers may be refused, and not the lengths
    if taken is None:
        shown = ", ".join(f"axis {axis} of input {name!r}" for name, axis in axes)
        ((name, _), *_) = axes
        (spec,) = [spec for spec in backend.inputs if spec.name == name]
        raise NotDrawn(
            f"TensorFlow takes none of the lengths that were tried for {shown}, which"
            " the signature leaves free; give one that it takes, for example with"
            f" --shape {name}={_shown([None, *(n or 3 for n in spec.shape[1:])])}"
        )
    return search.told(taken)


def _usual(specs: tuple[TensorSpec, ...], name: str, axis: int) -> int:
    """The usual length of an axis; see ``exporter.proof.draws``."""
    (spec,) = [spec for spec in specs if spec.name == name]
    if len(specs) == 1 and len(spec.shape) == 4:
        return WARMED_SIDE if axis < 3 else 1
    return FREE_LENGTH


class _Search:
    def __init__(self, backend: Backend, ranges: Ranges, axes: list[Axis]) -> None:
        self._backend = backend
        self._ranges = ranges
        self._axes = axes
        self._tries = 0
        self._end = time.monotonic() + _SECONDS
        # The numbers in TensorFlow's messages, in the order in which they came.
        self._numbers: dict[int, None] = {}
        self.was_of_shapes = False

    def takes(self, lengths: tuple[int, ...]) -> bool:
        """Whether the model accepts one item of these lengths."""
        self._tries += 1
        for value in (0, 1, None):
            batch = self._batch(lengths, value)
            if batch is None:
                return False
            try:
                self._backend.run(batch)
            except InputRefused as ex:
                self.was_of_shapes |= ex.is_of_shapes
                self._note(str(ex.__cause__))
                if ex.is_of_shapes:
                    return False
            except BackendError:
                self._end = 0.0  # no input can make it run
                return False
            else:
                return True
        return False

    def _note(self, sentence: str) -> None:
        for digits in re.findall(r"\d+", sentence):
            if len(digits) < 9 and 0 < int(digits) <= _MOST:
                self._numbers.setdefault(int(digits))

    def _batch(
        self, lengths: tuple[int, ...], value: int | None
    ) -> dict[str, NDArray[Any]] | None:
        by_axis = dict(zip(self._axes, lengths, strict=True))
        generator = np.random.default_rng(0)
        batch = {}
        for spec in self._backend.inputs:
            shape = [
                by_axis.get((spec.name, axis), 1) if n is None else n
                for axis, n in enumerate(spec.shape)
            ]
            if int(np.prod(shape, dtype=object)) > MAX_NUMBERS:
                return None
            if spec.dtype == object:
                batch[spec.name] = np.full(shape, "" if value == 0 else "a", object)
                continue
            low, high = self._ranges.get(spec.name, (0, 1))
            numbers = (
                generator.uniform(low, high, shape)
                if value is None
                else np.full(shape, (low, high)[value])
            )
            batch[spec.name] = np.asarray(numbers).astype(spec.dtype)
        return batch

    def candidates(self, usual: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Lengths to try, the likeliest first, until the time is over."""
        seen = {usual}
        for lengths in self._all():
            is_out = self._tries > (_TRIES if self.was_of_shapes else _BLIND)
            if is_out or time.monotonic() > self._end:
                return
            if lengths not in seen:
                seen.add(lengths)
                yield lengths

    def _all(self) -> Iterator[tuple[int, ...]]:
        count = len(self._axes)
        yield from self._named(count)
        for n in _COMMON:
            yield (n,) * count
        if count > 1:
            yield from self._named(count)
        if count == 2:
            yield from itertools.product(range(1, 17), repeat=2)

    def _named(self, count: int) -> Iterator[tuple[int, ...]]:
        """Try lengths that TensorFlow's messages name, until they name no new ones."""
        known = -1
        while known < len(self._numbers):
            known = len(self._numbers)
            numbers = list(self._numbers)
            for n in numbers:
                yield (n,) * count
            if count == 1:
                continue
            for n in numbers:
                yield from _factors(n, count)
            yield from itertools.product(numbers[:12], repeat=count)

    def told(self, taken: tuple[int, ...]) -> Found:
        """Separate the axes with only one accepted length from the others."""
        others: dict[int, int] = {}
        for index, length in enumerate(taken):
            # The axis is changed alone, and then together with all axes of the same
            # length, because they may have to be equal.
            alone = [index]
            shared = [i for i, n in enumerate(taken) if n == length]
            for group in (alone, shared):
                if index in others:
                    break
                for other in self._others(length):
                    tried = tuple(
                        other if i in group else n for i, n in enumerate(taken)
                    )
                    if self.takes(tried):
                        others[index] = other
                        break
        fixed: dict[str, tuple[int | None, ...]] = {}
        lengths: dict[Axis, tuple[int, int]] = {}
        for index, (name, axis) in enumerate(self._axes):
            (spec,) = [s for s in self._backend.inputs if s.name == name]
            if index in others:
                lengths[name, axis] = (taken[index], others[index])
                continue
            shape = list(fixed.get(name, spec.shape))
            shape[axis] = taken[index]
            fixed[name] = tuple(shape)
        return Found(fixed, lengths)

    def _others(self, length: int) -> Iterator[int]:
        for step in _STEPS:
            if length + step > 0:
                yield length + step
        for factor in (2, 3):
            yield factor * length
        yield from (FREE_LENGTH, FREE_LENGTH + OTHER)


def _factors(number: int, count: int) -> Iterator[tuple[int, ...]]:
    """Pairs of lengths with this product, a square's first; other axes get 1."""
    pairs = [
        (number // n, n) for n in range(1, int(number**0.5) + 1) if number % n == 0
    ]
    for pair in reversed(pairs):
        for both in {pair, pair[::-1]}:
            for places in itertools.combinations(range(count), 2):
                lengths = [1] * count
                lengths[places[0]], lengths[places[1]] = both
                yield tuple(lengths)


def describe(found: Found) -> str:
    """A sentence about the shapes that were fixed."""
    return "; ".join(
        f"input {name!r} takes only the shape {_shown(shape)}"
        for name, shape in found.fixed.items()
    )
