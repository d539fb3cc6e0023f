"""The comparison of two answers to the same input: TensorFlow's and ONNX Runtime's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.tolerance import Tolerance

# The difference between a number and NaN. JSON has no infinity, and this number can
# still be divided.
APART = 1e300
# A smaller probability counts as this one, because float32 ends near 1e-38.
_LEAST = 1e-30


def _no_rows() -> NDArray[np.bool_]:
    return np.ones(0, np.bool_)


@dataclass(frozen=True)
class Agreement:
    """The agreement of one output of an engine with the reference.

    Attributes:
        is_within: each number is within the tolerance; or all texts are equal.
        difference: ``|got - want|`` as float64, of the output's shape; None for texts,
            or if the two have different shapes or dtypes.
        excess: the same in units of the allowed difference; of whole numbers, the
            difference itself.
        abs_diff: the largest difference.
        rel_diff: the largest relative difference of the numbers above the absolute
            tolerance.
        logit_diff: the largest difference of the logarithms, if they are probabilities.
        same: for each row of classes, whether its best class is the same; empty if
            there are no classes.
    """

    is_within: bool
    difference: NDArray[np.float64] | None
    excess: NDArray[np.float64]
    abs_diff: float = 0.0
    rel_diff: float = 0.0
    logit_diff: float = 0.0
    same: NDArray[np.bool_] = field(default_factory=_no_rows)


def compare(want: NDArray[Any], got: NDArray[Any], tolerance: Tolerance) -> Agreement:
    """Compare one output with the reference.

    The range of the answers (``Tolerance.spread``) is not judged here, because only
    many answers show it.

    Args:
        want: the reference's answer, of any shape and dtype.
        got: the other engine's answer.
        tolerance: the allowed differences.
    """
    nothing = np.zeros(0)
    if want.shape != got.shape or want.dtype != got.dtype:
        return Agreement(False, None, nothing)
    if want.dtype.kind not in "fiub":
        return Agreement(_texts(want) == _texts(got), None, nothing)
    difference = _difference(want, got)
    largest = float(difference.max(initial=0.0))
    if want.dtype.kind != "f":
        # Whole numbers are counts, indices and flags: a near number is wrong.
        return Agreement(not difference.any(), difference, difference, largest)
    # NaN and infinity only equal themselves.
    scale = np.where(np.isfinite(want), np.abs(want.astype(np.float64)), 0.0)
    # A small number may be a sum of large ones, and has their error.
    size = max(1.0, _root_mean_square(scale))
    allowed = tolerance.atol * size + tolerance.rtol * scale
    # Near the end of float64 the tolerance would allow NaN.
    allowed = np.minimum(allowed, APART / 10)
    is_within = bool((difference <= allowed).all())
    # Below atol the absolute tolerance decides: between 1e-30 and 2e-30 the relative
    # difference is one, but the numbers are equal enough.
    counts = scale > tolerance.atol
    relative = difference[counts] / scale[counts]
    logit_diff, same = 0.0, _no_rows()
    if want.ndim >= 2 and want.shape[-1] > 1:
        same = _same_top1(want, got, tolerance)
        if _are_probabilities(want):
            logits = np.log(np.clip(want.astype(np.float64), _LEAST, None))
            others = np.log(np.clip(got.astype(np.float64), _LEAST, None))
            apart = np.abs(logits - others)
            logit_diff = float(apart.max())
            limit = tolerance.logit * (1 + 0.1 * np.abs(logits))
            is_within &= bool((apart <= limit).all())
    return Agreement(
        is_within,
        difference,
        difference / allowed,
        largest,
        float(relative.max(initial=0.0)),
        logit_diff,
        same,
    )


def _texts(array: NDArray[Any]) -> list[Any]:
    """The texts of an array as str: TensorFlow answers bytes, and ONNX Runtime str."""
    return [
        value.decode(errors="replace") if isinstance(value, bytes) else value
        for value in array.ravel().tolist()
    ]


def _root_mean_square(numbers: NDArray[np.float64]) -> float:
    """The root of the mean of the squares; 0 of no numbers.

    The numbers are divided first, because the square of 1e200 is no number of float64.
    """
    largest = float(numbers.max(initial=0.0))
    if not largest:
        return 0.0
    return largest * float(np.sqrt(np.mean((numbers / largest) ** 2)))


def _are_probabilities(rows: NDArray[Any]) -> bool:
    """Whether every row sums to one, as softmax answers do."""
    if not rows.size or not (rows >= 0).all():
        return False
    return bool(np.allclose(rows.sum(axis=-1, dtype=np.float64), 1.0, atol=1e-3))


def _difference(want: NDArray[Any], got: NDArray[Any]) -> NDArray[np.float64]:
    """``|got - want|`` as float64; 0 for equal NaN or infinity, else ``APART``."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
    same = (want == got) | (np.isnan(want) & np.isnan(got))
    return np.where(same, 0.0, np.nan_to_num(difference, nan=APART, posinf=APART))


def _same_top1(
    want: NDArray[Any], got: NDArray[Any], tolerance: Tolerance
) -> NDArray[np.bool_]:
    """Whether the best class is the same; a tie within tolerance has two best."""
    chosen = np.argmax(got, axis=-1)
    is_same = chosen == np.argmax(want, axis=-1)
    best = want.max(axis=-1).astype(np.float64)
    of_chosen = np.take_along_axis(want, chosen[..., np.newaxis], axis=-1)[..., 0]
    with np.errstate(invalid="ignore"):
        is_tie = best - of_chosen <= tolerance.atol + tolerance.rtol * np.abs(best)
    same: NDArray[np.bool_] = is_same | (np.isfinite(best) & is_tie)
    return same.reshape(-1)
