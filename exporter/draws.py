"""What both engines are asked: the bundle's sample, and inputs drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.params import Preprocess
from bundle.preprocess import preprocess
from bundle.sample import Sample
from runtime.backends import WARMED_SIDE, TensorSpec

# Of an axis that the model leaves free, where it is no side of a picture.
FREE_LENGTH = 8
# Another length is tried too: what was converted for the first one alone fails at it.
OTHER = 5
# Items drawn at random for each batch size; of 32 at once they are one batch.
ITEMS = 32
_TEXTS = ("", "a", "some words", "ÄÖ 12")

Batch = dict[str, NDArray[Any]]
# By an input's name, the least and the greatest number that it takes.
Ranges = Mapping[str, tuple[float, float]]


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
) -> list[Draw]:
    """All kinds of input that a model is asked with.

    Args:
        specs: the model's inputs.
        how: params.json's ``preprocess``, through which pictures go.
        sample: real images, if the bundle carries some.
        ranges: of inputs that are no pictures; where one is not told, real numbers are
            drawn from a unit normal, and whole ones are 0 or 1.
    """
    pictures = _pictures(specs, how, sample) if not ranges else None
    return pictures or _tensors(specs, ranges or {})


def _pictures(
    specs: tuple[TensorSpec, ...], how: Preprocess, sample: Sample | None
) -> list[Draw] | None:
    """Pictures for a model that takes pictures, all through the shared preprocess."""
    if len(specs) != 1 or len(specs[0].shape) != 4 or specs[0].dtype.kind not in "fiu":
        return None
    (spec,) = specs
    _, height, width, channels = spec.shape
    if channels not in (None, 1, 3):
        return None

    def drawn(side: int) -> dict[str, NDArray[np.uint8]]:
        size = how.size or (height or side, width or side)
        pixels = (*size, channels or 1)
        generator = np.random.default_rng(0)
        return {
            "random": generator.integers(0, 256, (ITEMS, *pixels), np.uint8),
            "zeros": np.zeros((1, *pixels), np.uint8),
            "white": np.full((1, *pixels), 255, np.uint8),
        }

    kinds = drawn(WARMED_SIDE)
    if sample is not None:
        kinds = {"sample": sample.images, **kinds}
    is_free = how.size is None and None in (height, width)
    if is_free:
        kinds["another size"] = drawn(WARMED_SIDE + OTHER)["random"]

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


def _tensors(specs: tuple[TensorSpec, ...], ranges: Ranges) -> list[Draw]:
    """Arrays for any other model."""

    def batches(kind: str, length: int, size: int) -> Iterator[Batch]:
        generator = np.random.default_rng(size)
        for _ in range(max(1, ITEMS // size) if kind == "random" else 1):
            yield {
                spec.name: _fill(
                    spec, _shape(spec, size, length), kind, ranges, generator
                )
                for spec in specs
            }

    least, greatest = ("lowest", "highest") if ranges else ("zeros", "ones")
    found = [
        Draw("random", partial(batches, "random", FREE_LENGTH)),
        Draw(least, partial(batches, "low", FREE_LENGTH)),
        Draw(greatest, partial(batches, "high", FREE_LENGTH)),
    ]
    if any(None in spec.shape[1:] for spec in specs):
        other = partial(batches, "random", FREE_LENGTH + OTHER)
        found.append(Draw("another length", other, may_be_refused=True))
    return found


def _shape(spec: TensorSpec, size: int, length: int) -> tuple[int, ...]:
    return tuple(
        (length if axis else size) if n is None else n
        for axis, n in enumerate(spec.shape)
    )


def _fill(
    spec: TensorSpec,
    shape: tuple[int, ...],
    kind: str,
    ranges: Ranges,
    generator: np.random.Generator,
) -> NDArray[Any]:
    if spec.dtype == object:
        texts = np.asarray(_TEXTS, object)
        if kind == "random":
            return texts[generator.integers(0, len(texts), shape)]
        return np.full(shape, texts[0 if kind == "low" else 1], object)
    low, high = ranges.get(spec.name, (0, 1))
    if kind != "random":
        return np.full(shape, low if kind == "low" else high).astype(spec.dtype)
    if spec.dtype.kind not in "fc":
        # Flags, and indices: small enough to be in range of any embedding.
        return generator.integers(int(low), int(high) + 1, shape).astype(spec.dtype)
    if spec.name in ranges:
        return np.asarray(generator.uniform(low, high, shape)).astype(spec.dtype)
    return np.asarray(generator.standard_normal(shape)).astype(spec.dtype)
