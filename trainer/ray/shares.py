"""The share of a batch, or of any other rows, that each worker computes."""

from __future__ import annotations

from typing import Any


def share_of(count: int, rank: int, workers: int) -> slice:
    """Return the rows of one worker: a part without gaps, as large as the others.

    Args:
        count: the number of rows.
        rank: the worker's number, from 0.
        workers: the number of workers.

    Returns:
        The slice. The first workers have one row more than the last ones if the rows
        cannot be divided equally.
    """
    each, left = divmod(count, workers)
    start = rank * each + min(rank, left)
    return slice(start, start + each + (rank < left))


def cut(batch: tuple[Any, ...], share: slice) -> tuple[Any, ...]:
    """Take a share of a batch as ``trainer.batches`` gives it.

    Args:
        batch: the inputs, which are an array or arrays by their names, the answers, and
            perhaps the weights of the rows.
        share: the rows to take.
    """
    inputs, *others = batch
    if isinstance(inputs, dict):
        taken = {name: column[share] for name, column in inputs.items()}
    else:
        taken = inputs[share]
    return taken, *(part[share] for part in others)
