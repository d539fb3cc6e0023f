"""What both engines are asked: the bundle's sample, and inputs drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bundle.params import Preprocess
from bundle.preprocess import preprocess
from bundle.sample import Sample
from runtime.backends import TensorSpec
from runtime.backends.tensors import WARMED_SIDE

# Of an axis that the model leaves free, where it is no side of a picture.
FREE_LENGTH = 8
# Another length is tried too: what was converted for the first one alone fails at it.
OTHER = 5
# Items drawn at random for each batch size; of 32 at once they are one batch.
ITEMS = 32
# How far from 0 small whole numbers are drawn.
_SMALL = 9
_TEXTS = ("", "a", "some words", "ÄÖ 12")

Batch = dict[str, NDArray[Any]]
# By an input's name, the least and the greatest number that it takes.
Ranges = Mapping[str, tuple[float, float]]
# By an input's name and axis, two lengths that a free axis takes, to be drawn in place
# of the usual ones.
Lengths = Mapping[tuple[str, int], tuple[int, int]]
# How an input is drawn that does not take any number: without 0, which nothing is
# divided by; above 0; or matrices that have an inverse.
Kind = Literal["nonzero", "positive", "matrix"]


@dataclass(frozen=True)
class Traits:
    """Facts about inputs besides their ranges.

    Attributes:
        whole: names of real-numbered inputs that hold whole numbers: they are cast, and
            index a table.
        signed: names of whole-numbered inputs that are no places and no lengths: they
            may be negative.
        unbounded: those of them to which exact arithmetic alone is done: they may be as
            large as their dtype allows.
    """

    whole: frozenset[str] = frozenset()
    signed: frozenset[str] = frozenset()
    unbounded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Draw:
    """One kind of input.

    Attributes:
        name: ``sample``, ``random``, ``zeros``, …
        batches: gives whole batches of a size, the same ones each time.
        may_be_refused: the model need not take it: a free axis that no length fits but
            some.
    """

    name: str
    batches: Callable[[int], Iterator[Batch]]
    may_be_refused: bool = False


def draws(
    specs: tuple[TensorSpec, ...],
    how: Preprocess,
    sample: Sample | None,
    ranges: Ranges | None = None,
    traits: Traits | None = None,
    lengths: Lengths | None = None,
    kinds: Mapping[str, Kind] | None = None,
) -> list[Draw]:
    """All kinds of input that a model is asked with.

    Args:
        specs: the model's inputs.
        how: params.json's ``preprocess``, through which pictures go.
        sample: real images, if the bundle carries some.
        ranges: of inputs that are no pictures; where one is not told, real numbers are
            drawn from a unit normal, and whole ones are 0 or 1.
        traits: what else is known of them.
        lengths: of free axes, where the usual ones are not taken.
        kinds: of inputs that do not take any number, by their names.
    """
    pictures = _pictures(specs, how, sample, lengths or {}) if not ranges else None
    if pictures:
        return pictures
    filler = _Filler(ranges or {}, traits or Traits(), kinds or {})
    return _tensors(specs, filler, lengths or {})


def _pictures(
    specs: tuple[TensorSpec, ...],
    how: Preprocess,
    sample: Sample | None,
    lengths: Lengths,
) -> list[Draw] | None:
    """Pictures for a model that takes pictures, all through the shared preprocess."""
    if len(specs) != 1 or len(specs[0].shape) != 4 or specs[0].dtype.kind not in "fiu":
        return None
    (spec,) = specs
    _, height, width, channels = spec.shape
    if channels not in (None, 1, 3):
        return None

    def drawn(other: int) -> dict[str, NDArray[np.uint8]]:
        """Pictures of the first size, or (1) of the other."""
        sides = [
            n
            or lengths.get((spec.name, axis), (WARMED_SIDE, WARMED_SIDE + OTHER))[other]
            for axis, n in ((1, height), (2, width))
        ]
        size = how.size or sides
        depth = channels or lengths.get((spec.name, 3), (1, 1))[0]
        pixels = (*size, depth)
        generator = np.random.default_rng(0)
        return {
            "random": generator.integers(0, 256, (ITEMS, *pixels), np.uint8),
            "zeros": np.zeros((1, *pixels), np.uint8),
            "white": np.full((1, *pixels), 255, np.uint8),
        }

    kinds = drawn(0)
    if sample is not None:
        kinds = {"sample": sample.images, **kinds}
    is_free = how.size is None and None in (height, width)
    if is_free:
        kinds["another size"] = drawn(1)["random"]

    def batches(images: NDArray[np.uint8], size: int) -> Iterator[Batch]:
        shape = (height, width, channels)
        for rows in _rows(len(images), size):
            items = [preprocess(images[row], how, shape, spec.dtype) for row in rows]
            yield {spec.name: np.stack(items)}

    return [
        Draw(name, partial(batches, images), name == "another size")
        for name, images in kinds.items()
    ]


def _rows(count: int, size: int) -> NDArray[np.int64]:
    """Every item at least once, in whole batches only."""
    rows = np.arange(-(-count // size) * size) % count
    return rows.reshape(-1, size)


def _tensors(
    specs: tuple[TensorSpec, ...], filler: _Filler, lengths: Lengths
) -> list[Draw]:
    """Arrays for any other model."""

    def batches(kind: str, size: int, *, other: int = 0) -> Iterator[Batch]:
        generator = np.random.default_rng(size)
        for _ in range(1 if kind in ("low", "high") else max(1, ITEMS // size)):
            yield {
                spec.name: filler.fill(
                    spec, _shape(spec, size, lengths, other), kind, generator
                )
                for spec in specs
            }

    has_ranges = bool(filler.ranges)
    least, greatest = ("lowest", "highest") if has_ranges else ("zeros", "ones")
    found = [
        Draw("random", partial(batches, "random")),
        # Nobody said that a 0 or a 1 is taken, where nothing is declared.
        Draw(least, partial(batches, "low"), may_be_refused=not has_ranges),
        Draw(greatest, partial(batches, "high"), may_be_refused=not has_ranges),
    ]
    if any(None in spec.shape[1:] for spec in specs):
        longer = partial(batches, "random", other=1)
        found.append(Draw("another length", longer, may_be_refused=True))
    for name, kind, whole in (
        ("small whole numbers", "signed", filler.traits.signed),
        ("large whole numbers", "unbounded", filler.traits.unbounded),
    ):
        if any(spec.name in whole - filler.ranges.keys() for spec in specs):
            found.append(Draw(name, partial(batches, kind), may_be_refused=True))
    return found


def _shape(
    spec: TensorSpec, size: int, lengths: Lengths, other: int
) -> tuple[int, ...]:
    usual = (FREE_LENGTH, FREE_LENGTH + OTHER)
    return tuple(
        (lengths.get((spec.name, axis), usual)[other] if axis else size)
        if n is None
        else n
        for axis, n in enumerate(spec.shape)
    )


@dataclass(frozen=True)
class _Filler:
    """Draws the numbers of one input."""

    ranges: Ranges
    traits: Traits
    kinds: Mapping[str, Kind]

    def fill(
        self,
        spec: TensorSpec,
        shape: tuple[int, ...],
        kind: str,
        generator: np.random.Generator,
    ) -> NDArray[Any]:
        if spec.dtype == object:
            texts = np.asarray(_TEXTS, object)
            if kind not in ("low", "high"):
                return texts[generator.integers(0, len(texts), shape)]
            return np.full(shape, texts[0 if kind == "low" else 1], object)
        low, high = self.ranges.get(spec.name, (0, 1))
        if kind in ("low", "high") and self.kinds.get(spec.name) == "matrix":
            identity = np.eye(shape[-1]) * (1 if kind == "low" else 2)
            return np.broadcast_to(identity, shape).astype(spec.dtype)
        if kind in ("low", "high"):
            return np.full(shape, low if kind == "low" else high).astype(spec.dtype)
        is_declared = spec.name in self.ranges
        if spec.dtype.kind in "iu":
            is_free = not is_declared
            if kind == "unbounded" and is_free and spec.name in self.traits.unbounded:
                numbers = _large(spec.dtype, shape, generator)
                if self.kinds.get(spec.name) == "nonzero":
                    numbers[numbers == 0] = 1
                return numbers
            if kind == "signed" and is_free and spec.name in self.traits.signed:
                low, high = (-_SMALL if spec.dtype.kind == "i" else 0), _SMALL
            if is_free and self.kinds.get(spec.name) == "nonzero":
                drawn = generator.integers(1, _SMALL + 1, shape)
                if spec.dtype.kind == "i" and kind == "signed":
                    drawn *= generator.choice([-1, 1], shape)
                return drawn.astype(spec.dtype)
        if spec.dtype.kind not in "fc" or spec.name in self.traits.whole:
            # Flags, and indices: small enough to be in range of any embedding.
            drawn = generator.integers(int(low), int(high) + 1, shape)
            return np.asarray(drawn).astype(spec.dtype)
        if is_declared:
            return np.asarray(generator.uniform(low, high, shape)).astype(spec.dtype)
        reals = np.asarray(generator.standard_normal(shape))
        match self.kinds.get(spec.name):
            case "positive":
                reals = 0.5 + np.abs(reals)
            case "matrix":
                # Its diagonal is larger than the rest of a row.
                reals = reals / shape[-1] + 2 * np.eye(shape[-1])
        return reals.astype(spec.dtype)


def _large(
    dtype: np.dtype[Any], shape: tuple[int, ...], generator: np.random.Generator
) -> NDArray[Any]:
    """Whole numbers up to the ends of their dtype, some of them small."""
    ends = np.iinfo(dtype)
    numbers = generator.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    small = generator.integers(max(ends.min, -_SMALL), _SMALL + 1, shape)
    return np.where(generator.random(shape) < 0.25, small.astype(dtype), numbers)
