"""Loops and branches as TensorFlow 1 wrote them: among the operators, in circles.

``tf.while_loop`` was a ring of ``Enter``, ``Merge``, ``Switch``, ``NextIteration`` and
``Exit``; ``tf.cond`` was a ``Switch`` for each tensor that a branch took, and a
``Merge`` where its branches met. Nothing says which belong together: here it is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from exporter.errors import ExportError


@dataclass(frozen=True)
class Variable:
    """What one turn of a loop hands to the next.

    Attributes:
        enters: its first value, outside of the loop.
        merged: its value, as the condition sees it.
        kept: the same, as the body sees it.
        handed: its next value.
        exits: what is left of it after the loop; nothing, one or more tensors.
    """

    enters: tf.Tensor
    merged: tf.Tensor
    kept: tf.Tensor
    handed: tf.Tensor
    exits: tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class Loop:
    """One loop.

    Attributes:
        variables: in any order.
        condition: whether there is another turn.
        constants: of what the loop takes from outside and leaves as it is, the tensor
            outside and the one inside.
    """

    variables: tuple[Variable, ...]
    condition: tf.Tensor
    constants: tuple[tuple[tf.Tensor, tf.Tensor], ...]


@dataclass(frozen=True)
class Meeting:
    """Where two branches meet.

    Attributes:
        decides: a flag.
        if_false: one branch's answer.
        if_true: the other's.
        taken: what both take from outside.
    """

    decides: tf.Tensor
    if_false: tf.Tensor
    if_true: tf.Tensor
    taken: tuple[tf.Tensor, ...]


def is_meeting(operation: tf.Operation) -> bool:
    """Whether it ends a branch; a loop's begins with ``Merge`` as well."""
    return operation.type == "Merge" and not any(
        tensor.op.type == "NextIteration" for tensor in operation.inputs
    )


def loop_of(end: tf.Operation) -> Loop:
    """The loop that an ``Exit`` leaves."""
    turn = end.inputs[0].op.inputs[1]
    variables = tuple(
        _variable(switch)
        for switch in turn.consumers()
        if switch.type == "Switch" and switch.inputs[0].op.type == "Merge"
    )
    condition = turn.op.inputs[0]
    stops = {variable.merged.op for variable in variables}
    reached = _behind([condition, *(v.handed for v in variables)], stops)
    frame = variables[0].merged.op.inputs[0].op.get_attr("frame_name")
    constants = tuple(
        (operation.inputs[0], operation.outputs[0])
        for operation in reached
        if operation.type == "Enter" and operation.get_attr("frame_name") == frame
    )
    return Loop(variables, condition, constants)


def _variable(switch: tf.Operation) -> Variable:
    merge = switch.inputs[0].op
    entering, handing = merge.inputs
    return Variable(
        enters=entering.op.inputs[0],
        merged=merge.outputs[0],
        kept=switch.outputs[1],
        handed=handing.op.inputs[0],
        exits=tuple(
            operation.outputs[0]
            for operation in switch.outputs[0].consumers()
            if operation.type == "Exit"
        ),
    )


def meeting_of(merge: tf.Operation) -> Meeting:
    """The branches that meet in a ``Merge``.

    Raises:
        ExportError: no flag sets them apart.
    """
    if_false, if_true = merge.inputs
    flag = _flag(merge)
    inside: set[tf.Operation] = set()
    taken = [flag]
    for operation in ordered(merge.inputs, _before):
        before = _before(operation)
        is_gate = operation.type == "Switch" and operation.inputs[1] is flag
        if is_gate or any(tensor.op in inside for tensor in before):
            inside.add(operation)
            taken += [tensor for tensor in before if tensor.op not in inside]
    taken += [tensor for tensor in merge.inputs if tensor.op not in inside]
    return Meeting(flag, if_false, if_true, tuple(taken))


def _flag(merge: tf.Operation) -> tf.Tensor:
    """What decides between the branches.

    Of a condition inside a branch that branch depends on both sides; of one that both
    branches are inside of, both on the same; of theirs each on its own.
    """
    left, right = (_sides(tensor) for tensor in merge.inputs)
    for name, (flag, _) in {**right, **left}.items():
        _, sides_left = left.get(name, (flag, set()))
        _, sides_right = right.get(name, (flag, set()))
        if sides_left <= {0} and sides_right <= {1}:
            return flag
    raise ExportError(
        f"{merge.name[:120]} joins branches of TensorFlow 1 that no one condition sets"
        " apart"
    )


def _sides(tensor: tf.Tensor) -> dict[str, tuple[tf.Tensor, set[int]]]:
    """The flags that a tensor depends on by their names, and which sides of each."""
    found: dict[str, tuple[tf.Tensor, set[int]]] = {}
    waiting, seen = [tensor], {tensor.name}
    while waiting:
        given = waiting.pop(0)
        if given.op.type == "Switch":
            flag = given.op.inputs[1]
            found.setdefault(flag.name, (flag, set()))[1].add(given.value_index)
        # A constant in a branch hangs on it by a control input alone.
        pivots = [op.outputs[0] for op in given.op.control_inputs if op.outputs]
        fresh = {t.name: t for t in [*_before(given.op), *pivots]}
        waiting += [t for name, t in fresh.items() if name not in seen]
        seen |= set(fresh)
    return found


def sources_of(operation: tf.Operation) -> Sequence[tf.Tensor]:
    """What must be there before an operation can be copied."""
    if is_meeting(operation):
        return meeting_of(operation).taken
    return _before(operation)


def _before(operation: tf.Operation) -> Sequence[tf.Tensor]:
    """What an operation follows from, without going in circles."""
    if operation.type == "Exit":
        loop = loop_of(operation)
        outside = [variable.enters for variable in loop.variables]
        return [*outside, *(tensor for tensor, _ in loop.constants)]
    if operation.type == "Merge" and not is_meeting(operation):
        return []  # where the loop begins that all of this is inside of
    return list(operation.inputs)


def ordered(
    wanted: Iterable[tf.Tensor], sources: Callable[[tf.Operation], Sequence[tf.Tensor]]
) -> list[tf.Operation]:
    """All operations that tensors follow from, each behind those that it follows from.

    Args:
        wanted: tensors of one graph.
        sources: the tensors that an operation follows from.
    """
    found: dict[tf.Operation, None] = {}
    waiting = [(tensor.op, False) for tensor in wanted]
    seen = set()
    while waiting:
        operation, is_ready = waiting.pop()
        if is_ready:
            found[operation] = None
        elif operation not in seen:
            seen.add(operation)
            waiting.append((operation, True))
            waiting += [(tensor.op, False) for tensor in sources(operation)]
    return list(found)


def _behind(
    tensors: Iterable[tf.Tensor], stops: set[tf.Operation]
) -> set[tf.Operation]:
    """All operations that tensors follow from, circles among them.

    Args:
        tensors: of one graph.
        stops: what lies behind them is left out, and they are.
    """
    found: set[tf.Operation] = set()
    waiting: list[tf.Operation] = [tensor.op for tensor in tensors]
    while waiting:
        operation = waiting.pop()
        if operation not in found and operation not in stops:
            found.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    return found
