"""TensorFlow 1's control flow -> loops and branches that are functions.

Its loops are circles in the graph (``Enter``, ``Merge``, ``Switch``, ``NextIteration``,
``Exit``), its branches parts that a ``Switch`` leaves dead and a ``Merge`` passes over.
Frozen graphs and SavedModels of that time hold them, and TensorFlow 2 runs them still.
They cannot be copied operator by operator, so each is found here and written anew by
``tf.while_loop`` and ``tf.cond``. tf2onnx has rewriters for some of them, by patterns
of the recurrent layers of that time; functions it converts in general.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from exporter.errors import ExportError

_ENTERS = ("Enter", "RefEnter")
_MERGES = ("Merge", "RefMerge")
_SWITCHES = ("Switch", "RefSwitch")
_EXITS = ("Exit", "RefExit")
_TURNS = ("NextIteration", "RefNextIteration")
# A loop's shapes lose an axis a turn at most.
_MOST_AXES = 16

# Copies what tensors of the old graph need, given what stands for others.
Copy = Callable[[Mapping[str, Any], Sequence[tf.Tensor]], list[tf.Tensor]]


@dataclass
class Loop:
    """One circle of a graph, which carries some tensors from turn to turn.

    Attributes:
        constants: ``Enter`` nodes of what stays the same in all turns.
        merges: where a tensor enters or comes from the turn before, one a tensor.
        condition: whether there is another turn.
    """

    constants: list[tf.Operation] = field(default_factory=list)
    merges: list[tf.Operation] = field(default_factory=list)
    condition: tf.Tensor | None = None

    def entering(self) -> list[tf.Tensor]:
        """What must be known before the first turn."""
        first = [_first(merge).inputs[0] for merge in self.merges]
        return first + [enter.inputs[0] for enter in self.constants]


@dataclass(frozen=True)
class Branches:
    """What a ``Merge`` joins.

    Attributes:
        predicate: which of both runs.
        switches: where tensors enter them.
        ends: what they answer, of the false one and of the true one.
    """

    predicate: tf.Tensor
    switches: tuple[tf.Operation, ...]
    ends: tuple[tf.Tensor, tf.Tensor]

    def entering(self) -> list[tf.Tensor]:
        """What must be known before one of them runs."""
        return [self.predicate, *(switch.inputs[0] for switch in self.switches)]


class Legacy:
    """The loops and branches of one graph.

    Args:
        graph: a function's, or a frozen one.
    """

    def __init__(self, graph: tf.Graph) -> None:
        self._loops: dict[str, Loop] = {}
        self._frame_of: dict[tf.Operation, str] = {}
        self._branches: dict[tf.Operation, Branches] = {}
        for operation in graph.get_operations():
            if operation.type in _ENTERS:
                self._enter(operation)

    def _enter(self, enter: tf.Operation) -> None:
        frame = enter.get_attr("frame_name").decode()
        loop = self._loops.setdefault(frame, Loop())
        if enter.get_attr("is_constant"):
            loop.constants.append(enter)
            return
        for merge in enter.outputs[0].consumers():
            if merge.type not in _MERGES:
                continue
            loop.merges.append(merge)
            self._frame_of[merge] = frame
            for switch in merge.outputs[0].consumers():
                if switch.type in _SWITCHES and _is_turned(switch):
                    loop.condition = switch.inputs[1].op.inputs[0]
                    for end in switch.outputs[0].consumers():
                        if end.type in _EXITS:
                            self._frame_of[end] = frame

    def sources(self, operation: tf.Operation) -> list[tf.Tensor]:
        """What must be there before an operation of any kind is copied."""
        if operation.type in _EXITS:
            return self._loop_of(operation).entering()
        if operation.type in _MERGES:
            return self._joined_by(operation).entering()
        return list(operation.inputs)

    def is_end(self, operation: tf.Operation) -> bool:
        """Whether it ends a loop or joins branches, and so stands for them."""
        return operation.type in _EXITS or operation.type in _MERGES

    def write(
        self, operation: tf.Operation, made: Mapping[str, Any], copy: Copy
    ) -> dict[str, Any]:
        """Write the loop or the branches that an operation ends.

        Args:
            operation: see ``is_end``.
            made: what stands for tensors of the old graph, ``sources`` among them.
            copy: copies what is inside.

        Returns:
            What stands for the tensors that follow: those of all ends of a loop.
        """
        if operation.type in _EXITS:
            return _write_loop(self._loop_of(operation), made, copy)
        branches = self._joined_by(operation)
        answer = _write_branches(branches, made, copy)
        which = tf.cast(made[branches.predicate.name], tf.int32)
        return {operation.outputs[0].name: answer, operation.outputs[1].name: which}

    def _loop_of(self, operation: tf.Operation) -> Loop:
        loop = self._loops.get(self._frame_of.get(operation, ""))
        if loop is None or loop.condition is None:
            raise ExportError(
                f"the loop that ends in {operation.name} cannot be told apart; write"
                " the model anew with TensorFlow 2"
            )
        return loop

    def _joined_by(self, merge: tf.Operation) -> Branches:
        if merge not in self._branches:
            self._branches[merge] = self._part(merge)
        return self._branches[merge]

    def _part(self, merge: tf.Operation) -> Branches:
        """The two branches that a merge joins, by what leads to it."""
        if len(merge.inputs) != 2:
            raise ExportError(
                f"{merge.name} joins {len(merge.inputs)} branches, not two"
            )
        first, second = merge.inputs
        sides = [dict(self._switches_before(tensor)) for tensor in (first, second)]
        switches = tuple(dict.fromkeys(s for side in sides for s in side))
        if not switches:
            raise ExportError(f"{merge.name} joins branches that nothing parts")
        is_first_true = (
            next(iter(sides[0].values()))
            if sides[0]
            else not next(iter(sides[1].values()))
        )
        ends = (second, first) if is_first_true else (first, second)
        return Branches(switches[0].inputs[1], switches, ends)

    def _switches_before(self, end: tf.Tensor) -> Iterator[tuple[tf.Operation, bool]]:
        """Switches that a branch begins with, and whether it is their true side.

        Branches within it have a merge and their own switches, which are passed over.
        One of a constant alone hangs on its switch by a control input.
        """
        waiting = [(end, 0)]
        seen = set()
        while waiting:
            tensor, depth = waiting.pop()
            operation = tensor.op
            if (tensor.name, depth) in seen or _is_of_a_turn(operation):
                continue
            seen.add((tensor.name, depth))
            if operation.type in _SWITCHES and depth == 0:
                yield operation, tensor.value_index == 1
                continue
            if operation.type in _SWITCHES:
                depth -= 1
            elif operation.type in _MERGES:
                depth += 1
            is_loop = operation.type in _EXITS
            given = self.sources(operation) if is_loop else list(operation.inputs)
            given += [o.outputs[0] for o in operation.control_inputs if o.outputs]
            waiting += [(source, depth) for source in given]


def _first(merge: tf.Operation) -> tf.Operation:
    return next(t.op for t in merge.inputs if t.op.type in _ENTERS)


def _is_of_a_turn(operation: tf.Operation) -> bool:
    """Whether it hands on what a loop carries: nothing before it is of this turn."""
    if operation.type in _SWITCHES:
        return _is_turned(operation)
    if operation.type in _MERGES:
        return any(tensor.op.type in _ENTERS for tensor in operation.inputs)
    return operation.type in _ENTERS


def _is_turned(switch: tf.Operation) -> bool:
    kind: str = switch.inputs[1].op.type
    return kind == "LoopCond"


def _write_loop(loop: Loop, made: Mapping[str, Any], copy: Copy) -> dict[str, Any]:
    switches = [
        next(
            consumer
            for consumer in merge.outputs[0].consumers()
            if consumer.type in _SWITCHES and _is_turned(consumer)
        )
        for merge in loop.merges
    ]
    turned = [
        next(t.op.inputs[0] for t in merge.inputs if t.op.type in _TURNS)
        for merge in loop.merges
    ]
    known = dict(made)
    for enter in loop.constants:
        known[enter.outputs[0].name] = made[enter.inputs[0].name]

    def feeds(carried: Sequence[tf.Tensor]) -> dict[str, Any]:
        given = dict(known)
        for merge, switch, tensor in zip(loop.merges, switches, carried, strict=True):
            given[merge.outputs[0].name] = tensor
            given[switch.outputs[1].name] = tensor
        return given

    def goes_on(*carried: tf.Tensor) -> tf.Tensor:
        return copy(feeds(carried), [loop.condition])[0]

    def turn(*carried: tf.Tensor) -> list[tf.Tensor]:
        return copy(feeds(carried), turned)

    first = [made[_first(merge).inputs[0].name] for merge in loop.merges]
    last = tf.while_loop(
        goes_on, turn, first, shape_invariants=_lasting_shapes(turn, first)
    )
    ends = {}
    for switch, tensor in zip(switches, last, strict=True):
        for end in switch.outputs[0].consumers():
            if end.type in _EXITS:
                ends[end.outputs[0].name] = tensor
    return ends


def _lasting_shapes(
    turn: Callable[..., list[tf.Tensor]], first: Sequence[tf.Tensor]
) -> list[tf.TensorShape]:
    """What holds in every turn: an old graph does not keep what it was told of them."""
    shapes = [tensor.shape for tensor in first]
    for _ in range(_MOST_AXES):
        specs = [
            tf.TensorSpec(shape, tensor.dtype)
            for shape, tensor in zip(shapes, first, strict=True)
        ]
        after = tf.function(turn, autograph=False).get_concrete_function(*specs)
        wider = [
            shape.most_specific_compatible_shape(tensor.shape)
            for shape, tensor in zip(shapes, after.outputs, strict=True)
        ]
        if [s.as_list() if s.rank is not None else None for s in wider] == [
            s.as_list() if s.rank is not None else None for s in shapes
        ]:
            break
        shapes = wider
    return shapes


def _write_branches(branches: Branches, made: Mapping[str, Any], copy: Copy) -> Any:
    known = dict(made)
    for switch in branches.switches:
        for output in switch.outputs:
            known[output.name] = made[switch.inputs[0].name]
    predicate = made[branches.predicate.name]
    if (chosen := tf.get_static_value(predicate)) is not None:
        return copy(known, [branches.ends[int(chosen)]])[0]
    otherwise, then = branches.ends
    return tf.cond(
        predicate,
        lambda: copy(known, [then])[0],
        lambda: copy(known, [otherwise])[0],
    )
