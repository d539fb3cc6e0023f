"""The inputs for both engines: the bundle's sample, and inputs drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bundle.params import Preprocess
from bundle.preprocess import preprocess
from bundle.sample import Sample
from runtime.backends import TensorSpec
from runtime.backends.tensors import WARMED_SIDE

# The length of an axis that the model leaves free, unless the axis is a side of a
# picture.
FREE_LENGTH = 8
# A second length is tried, because an ONNX that only fits the first one fails there.
OTHER = 5
# So many items are drawn at random for each batch size. At batch size 32 they are one
# batch.
ITEMS = 32
# Small whole numbers are drawn between minus this and this.
_SMALL = 9
_TEXTS = ("", "a", "some words", "ÄÖ 12")

Batch = dict[str, NDArray[Any]]
# The least and the greatest number that an input takes, by the input's name.
Ranges = Mapping[str, tuple[float, float]]
# Two lengths that a free axis accepts, by the input's name and the axis. They replace
# the usual lengths.
Lengths = Mapping[tuple[str, int], tuple[int, int]]
# The kind of values for an input that does not take all: no number is 0, as for a
# divisor; all are above 0; matrices that have an inverse; or texts of the vocabulary.
Kind = Literal["nonzero", "positive", "matrix", "known"]


@dataclass(frozen=True)
class Traits:
    """Facts about inputs besides their ranges.

    Attributes:
        whole: the names of real-numbered inputs that hold whole numbers, because they
            are cast and index a table.
        signed: the names of whole-numbered inputs that are neither places nor lengths,
            so they may be negative.
        unbounded: the names of signed inputs that only exact arithmetic uses, so they
            may be as large as their dtype allows.
        words: the vocabularies of inputs that take texts, by their names.
    """

    whole: frozenset[str] = frozenset()
    signed: frozenset[str] = frozenset()
    unbounded: frozenset[str] = frozenset()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Draw:
    """One kind of input.

    Attributes:
        name: ``sample``, ``random``, ``zeros``, …
        batches: returns whole batches of a size, always the same ones. Each is a
            dictionary of arrays ``(N, …)`` in the inputs' dtypes.
        may_be_refused: whether the model may refuse it, as when a free axis takes only
            some lengths.
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
        how: params.json's ``preprocess``, which is applied to pictures.
        sample: real images, if the bundle has some.
        ranges: the ranges of inputs that are no pictures. Without a range, real numbers
            are drawn from a unit normal distribution, and whole numbers are 0 or 1.
        traits: other facts about the inputs.
        lengths: the lengths of free axes that do not take the usual ones.
        kinds: the kinds of numbers of inputs that do not take all, by their names.
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
        """Pictures of the first size, or of the other size if ``other`` is 1.

        Returns:
            Pictures ``(N, H, W, C)`` from 0 to 255, by the names of their kinds.
        """
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
    """The rows of whole batches, with every item in them at least once."""
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
        # Without a declared range, nobody promised that the model takes a 0 or a 1.
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
    if any(spec.name in filler.traits.words for spec in specs):
        # The first draw has such texts, too, unless TensorFlow refuses them.
        unknown = partial(batches, "unknown")
        found.append(Draw("texts out of vocabulary", unknown, may_be_refused=True))
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
    """Draws the values of one input."""

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
            return self._texts(spec.name, shape, kind, generator)
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
            # Flags are drawn here, and indices, small enough for the range of any
            # embedding.
            drawn = generator.integers(int(low), int(high) + 1, shape)
            return np.asarray(drawn).astype(spec.dtype)
        if is_declared:
            return np.asarray(generator.uniform(low, high, shape)).astype(spec.dtype)
        reals = np.asarray(generator.standard_normal(shape))
        match self.kinds.get(spec.name):
            case "positive":
                reals = 0.5 + np.abs(reals)
            case "matrix":
                # The diagonal is larger than the rest of its row, so the matrix has an
                # inverse.
                reals = reals / shape[-1] + 2 * np.eye(shape[-1])
        return reals.astype(spec.dtype)

    def _texts(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: str,
        generator: np.random.Generator,
    ) -> NDArray[Any]:
        known = np.asarray(self.traits.words.get(name, ()), object)
        others = np.asarray(_TEXTS, object)
        if self.kinds.get(name) == "known" and kind != "unknown":
            others = known
        if kind in ("low", "high"):
            text = others[0] if kind == "low" else (known if len(known) else _TEXTS)[-1]
            return np.full(shape, text, object)
        drawn: NDArray[Any] = others[generator.integers(0, len(others), shape)]
        if kind == "unknown" or not len(known):
            return drawn
        is_known = generator.random(shape) < 0.5
        words = known[generator.integers(0, len(known), shape)]
        mixed: NDArray[Any] = np.where(is_known, words, drawn)
        return mixed


def _large(
    dtype: np.dtype[Any], shape: tuple[int, ...], generator: np.random.Generator
) -> NDArray[Any]:
    """Whole numbers of this shape and dtype, some small, others up to its ends."""
    ends = np.iinfo(dtype)
    numbers = generator.integers(ends.min, ends.max, shape, dtype, endpoint=True)
    small = generator.integers(max(ends.min, -_SMALL), _SMALL + 1, shape)
    return np.where(generator.random(shape) < 0.25, small.astype(dtype), numbers)
