"""Rewrite loops and branches in tf2onnx's forms: ``While`` and ``If`` of functions.

``frames.py`` finds the loops and branches of TensorFlow 1, which are circles and gates
among the operators. ``Case`` is TensorFlow's choice between many functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from exporter.lowering.bodies import body_of, scope
from exporter.lowering.frames import Loop, meeting_of
from exporter.lowering.frozen import Made, tensor_of

# Copies into the current graph everything that some tensors of a graph need. The
# replacements of the graph's inputs are given by the inputs' names.
Copy: TypeAlias = Callable[
    [tf.Graph, Mapping[str, Made], Sequence[tf.Tensor]], list[tf.Tensor]
]


def turn(
    copy: Copy, graph: tf.Graph, loop: Loop, made: Mapping[str, Made]
) -> dict[str, Made]:
    """Write a loop of TensorFlow 1 as a ``While``, and return the tensors after it."""
    constants = {inside.name: made[outside.name] for outside, inside in loop.constants}
    first = [tensor_of(made[v.enters.name]) for v in loop.variables]

    def goes_on(*given: tf.Tensor) -> tf.Tensor:
        feeds = {
            v.merged.name: tensor
            for v, tensor in zip(loop.variables, given, strict=True)
        }
        return copy(graph, {**constants, **feeds}, [loop.condition])[0]

    def hand_on(*given: tf.Tensor) -> list[tf.Tensor]:
        feeds = {
            tensor.name: held
            for v, held in zip(loop.variables, given, strict=True)
            for tensor in (v.merged, v.kept)
        }
        handed = [variable.handed for variable in loop.variables]
        return copy(graph, {**constants, **feeds}, handed)

    left = _looped(goes_on, hand_on, first)
    return {
        tensor.name: given
        for variable, given in zip(loop.variables, left, strict=True)
        for tensor in variable.exits
    }


def join(
    copy: Copy, graph: tf.Graph, operation: tf.Operation, made: Mapping[str, Made]
) -> Sequence[tf.Tensor]:
    """Write two branches of TensorFlow 1 as an ``If``; also return its condition."""
    meeting = meeting_of(operation)
    flag = tensor_of(made[meeting.decides.name])
    (answer,) = tf.nest.flatten(
        tf.cond(
            flag,
            lambda: copy(graph, made, [meeting.if_true]),
            lambda: copy(graph, made, [meeting.if_false]),
        )
    )
    return [answer, tf.cast(flag, tf.int32)]


def choose(
    copy: Copy, graph: tf.Graph, operation: tf.Operation, inputs: list[Made]
) -> Sequence[tf.Tensor]:
    """Choose one of several functions by its number; tf2onnx knows only two."""
    number, *given = inputs
    bodies = [
        body_of(graph, function.name, operation.inputs[1:])
        for function in operation.get_attr("branches")
    ]

    def run(body: Any) -> list[tf.Tensor]:
        feeds = {
            inner.name: taken for inner, taken in zip(body.inputs, given, strict=True)
        }
        return copy(body, feeds, body.outputs)

    # A number that belongs to no branch chooses the last one, as in TensorFlow.
    def among(first: int) -> list[tf.Tensor]:
        if first == len(bodies) - 1:
            return run(bodies[first])
        made: list[tf.Tensor] = tf.nest.flatten(
            tf.cond(
                tf.equal(tensor_of(number), first),
                lambda: run(bodies[first]),
                lambda: among(first + 1),
            )
        )
        return made

    with scope(operation.name):
        return among(0)


def _looped(
    goes_on: Callable[..., tf.Tensor],
    hand_on: Callable[..., list[tf.Tensor]],
    first: Sequence[tf.Tensor],
) -> Sequence[tf.Tensor]:
    """Make a loop whose tensors have shapes that hold in every turn.

    A frozen graph does not tell which shapes a turn hands to the next, so they are
    found by trying.
    """
    shapes = [tensor.shape for tensor in first]
    ranks = [shape.rank for shape in shapes]
    free = [tf.TensorShape(None if n is None else [None] * n) for n in ranks]
    for loose in (shapes, free):
        with contextlib.suppress(ValueError):
            left: Sequence[tf.Tensor] = tf.while_loop(goes_on, hand_on, first, loose)
            return left
    unknown = [tf.TensorShape(None)] * len(first)
    left = tf.while_loop(goes_on, hand_on, first, unknown)
    return left
