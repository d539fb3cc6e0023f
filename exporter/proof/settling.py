"""Find inputs that TensorFlow accepts, by asking it.

Few models take all numbers: a divisor is not 0, and a matrix that is inverted has an
inverse. An input that TensorFlow refuses cannot be compared, so other kinds of numbers
are tried.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import numpy as np

from bundle.params import Preprocess
from bundle.sample import Sample
from exporter.errors import NotDrawn
from exporter.proof.draws import Draw, Kind, Lengths, Ranges, Traits, draws
from runtime.backends import Backend, TensorSpec
from runtime.errors import BackendError

# An input counts as accepted if it is not refused within so many seconds.
_SECONDS = 5.0


def settle(
    backend: Backend,
    how: Preprocess,
    sample: Sample | None,
    ranges: Ranges | None = None,
    traits: Traits | None = None,
    lengths: Lengths | None = None,
) -> list[Draw]:
    """Find the draws for a model: those of the first kinds that TensorFlow accepts.

    Args:
        backend: the backend of TensorFlow.
        how: see ``exporter.proof.draws.draws``.
        sample: see there.
        ranges: see there.
        traits: see there.
        lengths: see there.

    Raises:
        NotDrawn: TensorFlow accepts none.
    """
    specs = backend.inputs
    size = min((s.shape[0] for s in specs if s.shape and s.shape[0]), default=1)

    def drawn(kinds: Mapping[str, Kind]) -> list[Draw]:
        return draws(specs, how, sample, ranges, traits, lengths, kinds)

    known = ranges or {}
    words = traits.words if traits else {}
    for kinds in _kinds(specs, known, words):
        found = drawn(kinds)
        if not _is_taken(backend, found[0], size):
            continue
        if not kinds and _has_poor_matrices(backend, found, size, known):
            continue
        # An input that does not need a special kind is drawn as usual.
        for name in kinds if len(kinds) > 1 else ():
            fewer = {other: kind for other, kind in kinds.items() if other != name}
            if _is_taken(backend, drawn(fewer)[0], size):
                kinds, found = fewer, drawn(fewer)
        return found
    raise refused(specs, drawn({})[0].name, size)


def refused(specs: tuple[TensorSpec, ...], kind: str, size: int) -> NotDrawn:
    """Say which inputs were refused, and how to help.

    Args:
        specs: the model's inputs.
        kind: the name of the draw.
        size: the batch size.
    """
    names = [spec.name for spec in specs if spec.dtype != object]
    said = f"TensorFlow itself fails on {kind!r} inputs at batch size {size}"
    if not names:
        texts = ", ".join(repr(spec.name) for spec in specs)
        return NotDrawn(
            f"{said}: input {texts} takes texts of a form of its own, such as pictures"
            " or serialized examples, so nothing can be compared"
        )
    shown = ", ".join(map(repr, names))
    return NotDrawn(
        f"{said}; say between which numbers {shown} lie, with --range"
        f" {names[0]}=LOW:HIGH, or with 'ranges' in params.json; for pictures, put some"
        " that it takes into sample.npz; or give the lengths of its axes with --shape"
    )


def _kinds(
    specs: tuple[TensorSpec, ...], ranges: Ranges, words: Mapping[str, object]
) -> Iterator[dict[str, Kind]]:
    free = [spec for spec in specs if spec.name not in ranges]
    whole = [spec.name for spec in free if spec.dtype.kind in "iu"]
    real = [spec.name for spec in free if spec.dtype.kind == "f"]
    matrices = [spec.name for spec in free if _is_matrix(spec)]
    nonzero: dict[str, Kind] = dict.fromkeys(whole, "nonzero")
    inverted: dict[str, Kind] = dict.fromkeys(matrices, "matrix")
    positive: dict[str, Kind] = dict.fromkeys(real, "positive")
    # A layer without a place for unknown words refuses them.
    known: dict[str, Kind] = dict.fromkeys(words, "known")
    seen: list[dict[str, Kind]] = []
    for kinds in (
        {},
        known,
        *(
            texts | numbers
            for texts in ({}, known)
            for numbers in (
                nonzero,
                inverted,
                nonzero | inverted,
                positive,
                positive | nonzero,
            )
        ),
    ):
        if kinds not in seen:
            seen.append(kinds)
            yield kinds


def _is_matrix(spec: TensorSpec) -> bool:
    sides = spec.shape[-2:]
    is_square = len(sides) == 2 and sides[0] == sides[1]
    # If two axes are free, the first one is the batch.
    return is_square and spec.dtype.kind == "f" and len(spec.shape) + bool(sides[0]) > 2


def _is_taken(backend: Backend, draw: Draw, size: int) -> bool:
    """Whether TensorFlow accepts a draw; of whole numbers and texts, all batches."""
    is_whole = any(spec.dtype.kind in "iuO" for spec in backend.inputs)
    end = time.monotonic() + _SECONDS
    for batch in draw.batches(size):
        try:
            backend.run(batch)
        except BackendError:
            return False
        if not is_whole or time.monotonic() > end:
            break
    return True


def _has_poor_matrices(
    backend: Backend, found: list[Draw], size: int, ranges: Ranges
) -> bool:
    """Whether the model refuses a matrix of zeros, because it needs an inverse.

    A random matrix may be close to one without an inverse. Its own inverse then has no
    exact digits that could be compared.
    """
    if not any(_is_matrix(s) for s in backend.inputs if s.name not in ranges):
        return False
    answers = backend.run(next(found[0].batches(size))).values()
    if any(not np.isfinite(a).all() for a in answers if a.dtype.kind == "f"):
        return True  # a root of a matrix that has none
    zeros = next((draw for draw in found if draw.name in ("zeros", "lowest")), None)
    return zeros is not None and not _is_taken(backend, zeros, size)
