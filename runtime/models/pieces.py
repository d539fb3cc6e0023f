"""The pieces of a request that has more items than one run takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runtime.backends import TensorSpec
from runtime.backends.tensors import check_inputs
from runtime.models.joint_run import Inputs, Outputs


def items_of(inputs: Inputs) -> int | None:
    """Count a request's items; None if its arrays disagree, or there are none.

    Args:
        inputs: an array ``(N, …)`` for each input, by name.
    """
    items = None
    for array in inputs.values():
        if not array.ndim or items not in (None, len(array)):
            return None
        items = len(array)
    return items or None


def cut(
    inputs: Inputs,
    items: int,
    specs: tuple[TensorSpec, ...],
    max_batch_size: int,
    max_numbers: int,
) -> list[Inputs]:
    """Cut a request into runs of ``max_batch_size``, or of fewer huge items.

    Args:
        inputs: an array ``(N, …)`` for each input, by name.
        items: N.
        specs: the inputs of the model.
        max_batch_size: the most items in one run.
        max_numbers: the most numbers that the inputs of one run may hold.

    Returns:
        An array ``(n, …)`` for each input, by name, for each run; in order.

    Raises:
        ShapeError: there are several pieces, and the inputs do not fit the model.
    """
    numbers = max(array.size for array in inputs.values()) // items
    size = min(max_batch_size, max(1, max_numbers // max(1, numbers)))
    if items <= size:
        return [inputs]
    # The whole is checked: an error about a piece would tell a shape nobody sent.
    check_inputs(specs, inputs)
    return [
        {name: array[start : start + size] for name, array in inputs.items()}
        for start in range(0, items, size)
    ]


def joined(answers: Sequence[Outputs]) -> Outputs:
    """Join the answers to pieces, ``(n, …)`` by name, to one ``(N, …)`` by name."""
    if len(answers) == 1:
        return answers[0]
    return {
        name: np.concatenate([answer[name] for answer in answers])
        for name in answers[0]
    }
