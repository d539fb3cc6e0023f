"""Tell from a model's operators whether it draws random numbers while it answers.

Two runs do not always show it: a picture of zeros stays the same when it is turned.
Keras 3 writes such models where ``model.export`` meets layers for augmentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

# These parts of sentences tell the fault of such a model, and the remedy.
DRAWS = "the model draws numbers at random, so that each answer is another"
IN_INFERENCE_MODE = (
    "write it again in inference mode: with outer = keras.Model(model.inputs,"
    " model(model.inputs, training=False)) and outer.export('FOLDER')"
)

# TensorFlow's operators that keep a seed of their own.
_STATEFUL = re.compile(
    r"Random(Uniform(Int)?|StandardNormal|Shuffle|Gamma|Poisson(V2)?|Crop)"
    r"|(Parameterized)?TruncatedNormal|Multinomial|NonDeterministicInts"
    r"|Stateful(Uniform\w*|StandardNormal\w*|TruncatedNormal|RandomBinomial)"
    r"|Rng(ReadAndSkip|Skip)|SampleDistortedBoundingBox(V2)?|\w*CandidateSampler"
)
# These operators take a seed and always draw the same, unless somebody changes it.
_STATELESS = re.compile(
    r"Stateless(Random\w+|Multinomial|TruncatedNormal\w*|ParameterizedTruncatedNormal"
    r"|SampleDistortedBoundingBox)|RandomIndexShuffle"
)
_BRANCHES = ("If", "StatelessIf")
_ASSIGNS = re.compile(r"Assign(Add|Sub)?VariableOp")


def random_operators(
    graph: Any, outputs: Iterable[Any], *, is_seeded: bool
) -> dict[str, str]:
    """Return the operators that draw numbers for the outputs.

    A branch that is never taken does not count.

    Args:
        graph: a graph of TensorFlow, flat or of a function.
        outputs: tensors of the graph.
        is_seeded: whether operators that take a seed get the same one at each call.

    Returns:
        The operators, each with the name of one of its nodes.
    """
    found: dict[str, str] = {}
    for kind, name in _reached(graph, outputs):
        if _STATEFUL.fullmatch(kind) or (not is_seeded and _STATELESS.fullmatch(kind)):
            found.setdefault(kind, name)
    return found


def is_seeded(graph: Any) -> bool:
    """Tell whether no function changes a whole number that it keeps, such as a seed."""
    # Nodes are read one by one: a graph with weights may be too large for a message.
    nodes = (op.node_def for op in graph.get_operations() if op.type != "Const")
    pending: list[Iterable[Any]] = [nodes]
    seen: set[str] = set()
    while pending:
        for node in pending.pop():
            if _ASSIGNS.fullmatch(node.op) and _is_whole(node.attr["dtype"].type):
                return False
            for name in _functions(node):
                if name not in seen and (body := _body(graph, name)) is not None:
                    seen.add(name)
                    pending.append(body.node_def)
    return True


def drawn_by(function: Any) -> str:
    """Name the operators by which a concrete function draws numbers, for a sentence."""
    graph = function.graph
    kinds = {kind for kind, _ in _reached(graph, function.outputs)}
    if "PlaceholderWithDefault" in kinds:
        # In a graph of TensorFlow 1 this default usually switches drawing off, and
        # nobody changes it.
        return ""
    found = random_operators(graph, function.outputs, is_seeded=is_seeded(graph))
    return ", ".join(sorted(found))


def _reached(graph: Any, outputs: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Give the operators that outputs need, each with its node's name."""
    import tensorflow as tf

    seen: set[Any] = set()
    bodies: set[str] = set()
    waiting = [tensor.op for tensor in outputs if hasattr(tensor, "op")]
    while waiting:
        operation = waiting.pop()
        if operation in seen:
            continue
        seen.add(operation)
        yield operation.type, operation.name
        waiting += [tensor.op for tensor in operation.inputs]
        node = operation.node_def if operation.type != "Const" else None
        if node is None:
            continue
        taken = None
        if operation.type in _BRANCHES:
            taken = tf.get_static_value(operation.inputs[0])
        for name in _functions(node, taken):
            yield from _reached_in(graph, name, bodies)


def _reached_in(graph: Any, name: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    body = None if name in seen else _body(graph, name)
    if body is None:
        return
    seen.add(name)
    nodes = {node.name: node for node in body.node_def}
    waiting = [_node_of(tensor) for tensor in body.ret.values()]
    reached: set[str] = set()
    while waiting:
        current = waiting.pop()
        if current in reached or current not in nodes:
            continue
        reached.add(current)
        node = nodes[current]
        yield node.op, node.name
        waiting += [_node_of(i) for i in node.input if not i.startswith("^")]
        taken = None
        if node.op in _BRANCHES:
            taken = _constant(nodes.get(_node_of(node.input[0])))
        for inner in _functions(node, taken):
            yield from _reached_in(graph, inner, seen)


def _functions(node: Any, taken: Any = None) -> Iterator[str]:
    """Give the functions that a node names; only the taken branch, if it is known."""
    for key, value in node.attr.items():
        is_never = taken is not None and key == (
            "else_branch" if taken else "then_branch"
        )
        if value.HasField("func") and not is_never:
            yield value.func.name
        for function in value.list.func:
            yield function.name


def _body(graph: Any, name: str) -> Any:
    from tensorflow.python.eager import context

    function = graph._get_function(name)
    if function is not None:
        return getattr(function, "cached_definition", None) or function.definition
    known = context.context()
    return known.get_function_def(name) if known.has_function(name) else None


def _constant(node: Any) -> bool | None:
    import tensorflow as tf

    if node is None or node.op != "Const":
        return None
    value = tf.make_ndarray(node.attr["value"].tensor)
    return bool(value) if value.ndim == 0 else None


def _is_whole(dtype: int) -> bool:
    import tensorflow as tf

    found = tf.as_dtype(dtype) if dtype else tf.float32
    return bool(found.is_integer)


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
