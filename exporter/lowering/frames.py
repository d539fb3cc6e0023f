"""Find the loops and branches of TensorFlow 1, which are circles of operators.

``tf.while_loop`` made a ring of ``Enter``, ``Merge``, ``Switch``, ``NextIteration`` and
``Exit``. ``tf.cond`` made a ``Switch`` for each tensor that a branch took, and a
``Merge`` where its branches met. The graph does not say which of these belong together;
this file finds it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from exporter.errors import ExportError


@dataclass(frozen=True)
class Variable:
    """A value that each turn of a loop hands to the next.

    Attributes:
        enters: the first value, outside of the loop.
        merged: the value as the condition sees it.
        kept: the value as the body sees it.
        handed: the next value.
        exits: the tensors that hold the value after the loop; there may be none.
    """

    enters: tf.Tensor
    merged: tf.Tensor
    kept: tf.Tensor
    handed: tf.Tensor
    exits: tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class Loop:
    """A loop.

    Attributes:
        variables: in any order.
        condition: the flag that tells whether there is another turn.
        constants: pairs of tensors, outside and inside, for everything that the loop
            takes from outside and does not change.
    """

    variables: tuple[Variable, ...]
    condition: tf.Tensor
    constants: tuple[tuple[tf.Tensor, tf.Tensor], ...]


@dataclass(frozen=True)
class Meeting:
    """The place where two branches meet.

    Attributes:
        decides: the flag that chooses the branch.
        if_false: the answer of one branch.
        if_true: the answer of the other branch.
        taken: the tensors that the branches take from outside.
    """

    decides: tf.Tensor
    if_false: tf.Tensor
    if_true: tf.Tensor
    taken: tuple[tf.Tensor, ...]


def is_meeting(operation: tf.Operation) -> bool:
    """Whether a ``Merge`` ends a branch; a loop begins with a ``Merge``, too."""
    return operation.type == "Merge" and not any(
        tensor.op.type == "NextIteration" for tensor in operation.inputs
    )


def loop_of(end: tf.Operation) -> Loop:
    """Find the loop that an ``Exit`` leaves."""
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
    """Find the branches that meet in a ``Merge``.

    Raises:
        ExportError: no flag sets the branches apart.
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
    """Find the flag that chooses between the branches.

    Each branch depends on one side of this flag. If a condition lies inside a branch,
    the branch depends on both sides of it. If both branches lie inside another branch,
    both depend on the same side of that one's flag.
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
    """The flags that a tensor depends on, by their names, with the sides of each."""
    found: dict[str, tuple[tf.Tensor, set[int]]] = {}
    waiting, seen = [tensor], {tensor.name}
    while waiting:
        given = waiting.pop(0)
        if given.op.type == "Switch":
            flag = given.op.inputs[1]
            found.setdefault(flag.name, (flag, set()))[1].add(given.value_index)
        # A constant in a branch depends on the branch only by a control input.
        pivots = [op.outputs[0] for op in given.op.control_inputs if op.outputs]
        fresh = {t.name: t for t in [*_before(given.op), *pivots]}
        waiting += [t for name, t in fresh.items() if name not in seen]
        seen |= set(fresh)
    return found


def sources_of(operation: tf.Operation) -> Sequence[tf.Tensor]:
    """The tensors that must exist before an operation can be copied."""
    if is_meeting(operation):
        return meeting_of(operation).taken
    return _before(operation)


def _before(operation: tf.Operation) -> Sequence[tf.Tensor]:
    """The tensors that an operation follows from, but for those that close a circle."""
    if operation.type == "Exit":
        loop = loop_of(operation)
        outside = [variable.enters for variable in loop.variables]
        return [*outside, *(tensor for tensor, _ in loop.constants)]
    if operation.type == "Merge" and not is_meeting(operation):
        return []  # the beginning of a loop around all of this
    return list(operation.inputs)


def ordered(
    wanted: Iterable[tf.Tensor], sources: Callable[[tf.Operation], Sequence[tf.Tensor]]
) -> list[tf.Operation]:
    """Sort all operations that tensors follow from, each after its sources.

    Args:
        wanted: tensors of one graph.
        sources: returns the tensors that an operation follows from.
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
    """Find all operations that tensors follow from, also in circles.

    Args:
        tensors: tensors of one graph.
        stops: these operations, and everything before them, are left out.
    """
    found: set[tf.Operation] = set()
    waiting: list[tf.Operation] = [tensor.op for tensor in tensors]
    while waiting:
        operation = waiting.pop()
        if operation not in found and operation not in stops:
            found.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    return found
