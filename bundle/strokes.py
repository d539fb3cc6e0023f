"""The strokes of something drawn: the parts that touch, and how thick they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A part that covers a corner of the picture is rather a table or a shadow than ink. Its
# mass counts for so much of itself, and for nothing if another part is heavier still.
_CORNER = 0.02


def largest_parts(weights: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """Find the parts that matter, among specks.

    Pixels above zero that touch, also by a corner, are one part.

    Args:
        weights: ``(H, W)`` float32; zero is no ink.
        share: a part is kept if it weighs at least this share of the heaviest one.

    Returns:
        ``(H, W)`` bool, true where a kept part lies.
    """
    height, width = weights.shape
    # One more column keeps the end of a row apart from the beginning of the next.
    padded = np.zeros((height, width + 1), np.float32)
    padded[:, :width] = weights
    flat = padded.ravel()
    steps = np.diff((flat > 0).astype(np.int8), prepend=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    if not len(starts):
        return np.zeros(weights.shape, bool)
    sums = np.add.reduceat(flat, np.stack((starts, ends), 1).ravel())[::2]
    parts = _joined(starts.tolist(), ends.tolist(), width + 1)
    masses = np.bincount(parts, sums).astype(np.float64)
    # Take the parts in the four corners.
    corners = np.array((0, width - 1, (height - 1) * (width + 1), flat.size - 2))
    runs = np.searchsorted(starts, corners, "right") - 1
    inside = np.unique(parts[runs[(runs >= 0) & (ends[runs] > corners)]])
    masses[inside] *= _CORNER
    if masses.argmax() not in inside:
        masses[inside] = 0
    kept = masses[parts] >= share * masses.max()
    marks = np.zeros(flat.size + 1, np.int8)
    marks[starts[kept]] = 1
    marks[ends[kept]] = -1
    return (
        np.cumsum(marks[:-1], dtype=np.int8)
        .astype(bool)
        .reshape(padded.shape)[:, :width]
    )


def _joined(starts: list[int], ends: list[int], width: int) -> NDArray[np.int64]:
    """Number the runs of pixels by the part to which they belong.

    Args:
        starts: where each run begins in the flat picture, in order.
        ends: where each run ends, exclusive.
        width: the pixels of a row.
    """
    parents = list(range(len(starts)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    above = 0
    for run, (start, end) in enumerate(zip(starts, ends, strict=True)):
        # Runs of the row above that end before this one's left neighbour touch none
        # of the next runs.
        while ends[above] < start - width:
            above += 1
        other = above
        while other < run and starts[other] <= end - width:
            one, two = root(other), root(run)
            parents[max(one, two)] = min(one, two)
            other += 1
    return np.array([root(run) for run in range(len(starts))], np.int64)


def thickness(ink: NDArray[np.float32]) -> float:
    """Measure the mean thickness of strokes, in pixels.

    A stroke of length L and thickness t has the area L·t and a border of about 2·L. In
    a picture with gray levels, the sum of all differences between neighbours is the
    length of the border.

    Args:
        ink: ``(H, W)`` float32, 0..1.
    """
    padded = np.pad(ink, 1)
    down = padded[1:, :-1] - padded[:-1, :-1]
    right = padded[:-1, 1:] - padded[:-1, :-1]
    border = float(np.sqrt(down * down + right * right).sum())
    return 2 * float(ink.sum()) / border if border else 0.0


def grown(ink: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Make strokes thicker by ``radius`` pixels on each side, or thinner if below zero.

    Args:
        ink: ``(H, W)`` float32.
        radius: the number of pixels.

    Returns:
        ``(H + 2 * radius, W + 2 * radius)`` float32 if they grow, else ``(H, W)``.
    """
    choose = np.maximum if radius > 0 else np.minimum
    grown = np.pad(ink, 2 * radius if radius > 0 else -radius)
    for _ in range(abs(radius)):
        rows = choose(choose(grown[:-2], grown[1:-1]), grown[2:])
        grown = choose(choose(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return grown
