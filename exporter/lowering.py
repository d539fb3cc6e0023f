"""A TensorFlow function -> one flat graph of operators that can become ONNX.

The function is copied, operator by operator, into a graph of its own. On the way

- calls are replaced by what they call. TensorFlow's own inlining leaves those that
  Keras 3 marks for XLA (``_XlaMustCompile``, ``_noinline``: grouped convolutions,
  large depthwise ones), and tf2onnx passes them on as ``StatefulPartitionedCall``;
- variables and tables are replaced by what they hold (the function is frozen);
- operators that ONNX lacks are replaced by TensorFlow operators that it has: that is
  what ``exporter.rewrites`` is for.

Freezing here, and not by ``convert_variables_to_constants_v2``, also lifts its limit:
it writes the whole graph into one message, which protobuf bounds at 2 GB.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import function_def_to_graph

from exporter.errors import ExportError
from exporter.frames import (
    Loop,
    is_meeting,
    loop_of,
    meeting_of,
    ordered,
    sources_of,
)
from exporter.rewrites import COMPLEX, LOWERINGS
from exporter.rewrites.pair import Pair
from runtime.backends.saved_model import Signature

# Operators that run another function in their place, which their attribute ``f`` names.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_LOOPS = ("While", "StatelessWhile")
_BRANCHES = ("If", "StatelessIf")
_CASES = ("Case", "StatelessCase")
_READS = ("ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape")
# What TensorFlow 1 has among the operators: its variables, and its tables of numbers.
_REFERENCES = ("Variable", "VariableV2")
_TABLES = ("HashTable", "HashTableV2", "MutableHashTableV2")
_FIND = ("LookupTableFind", "LookupTableFindV2")
# Above so many bytes of weights they are kept beside the graph that TensorFlow and
# tf2onnx handle: a graph is one message, which protobuf bounds at 2 GB, and tf2onnx
# copies it once for each of its optimizers.
LARGE_BYTES = 1_500_000_000
# Of a large model: a smaller constant costs little, and helps its conversion.
_WEIGHT_BYTES = 1 << 20
# A rewrite may leave what another one lowers; more turns than this are a circle.
_TURNS = 8


@dataclass
class LoweredGraph:
    """What tf2onnx is given.

    Attributes:
        graph: flat but for the bodies of loops and branches.
        inputs: the graph's tensors (``x:0``) by the signature's names.
        outputs: the same of the outputs.
        weights: of a large model, the large weights by the names of the placeholders
            that stand for them; else none.
    """

    graph: tf.Graph
    inputs: dict[str, str]
    outputs: dict[str, str]
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Variable:
    """Stands for a variable's handle: what it holds."""

    tensor: tf.Tensor


@dataclass(frozen=True)
class _Resource:
    """Stands for another handle, a lookup table's."""

    handle: tf.Tensor


_Made: TypeAlias = tf.Tensor | Pair | _Variable | _Resource


def lower(signature: Signature, large_bytes: int = LARGE_BYTES) -> LoweredGraph:
    """Freeze a signature, flatten it, and replace what ONNX lacks.

    Args:
        signature: see ``TensorFlowBackend.signature``.
        large_bytes: of weights, above which they are kept beside the graph.

    Raises:
        ExportError: it holds what cannot be frozen.
    """
    names = sorted(signature.inputs)
    # Not the signature's names: those may have what no node's name may.
    specs = [
        tf.TensorSpec(
            signature.inputs[n].shape, signature.inputs[n].dtype, f"input_{i}"
        )
        for i, n in enumerate(names)
    ]

    def serve(*tensors: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return signature.call(**dict(zip(names, tensors, strict=True)))

    function = tf.function(serve, autograph=False).get_concrete_function(*specs)
    wanted = function.structured_outputs
    variables = {
        id(variable.handle): variable.name.partition(":")[0]
        for variable in function.variables
    }
    lowered = LoweredGraph(tf.Graph(), {}, {})
    is_large = _bytes_of(function.captured_inputs) > large_bytes
    copier = _Copier(lowered.weights if is_large else None)
    with lowered.graph.as_default():
        feeds: dict[str, _Made] = {}
        for name, spec, inner in zip(names, specs, function.inputs, strict=False):
            taken = tf.compat.v1.placeholder(spec.dtype, spec.shape, spec.name)
            feeds[inner.name] = taken
            lowered.inputs[name] = taken.name
        for outer, inner in zip(
            function.captured_inputs, function.graph.internal_captures, strict=True
        ):
            name = variables.get(id(outer), inner.op.name)
            feeds[inner.name] = copier.hold(outer, name)
        order = sorted(wanted)
        made = copier.copy(function.graph, feeds, [wanted[name] for name in order])
        for index, (name, tensor) in enumerate(zip(order, made, strict=True)):
            lowered.outputs[name] = tf.identity(tensor, f"output_{index}").name
    for _ in range(_TURNS):
        if not copier.has_lowered:
            return lowered
        copier.has_lowered = False
        lowered = _copy_again(lowered, copier)
    raise ExportError("the rewrites of exporter.rewrites do not come to an end")


def _copy_again(lowered: LoweredGraph, copier: _Copier) -> LoweredGraph:
    """Lower what the rewrites of the turn before left."""
    old = lowered.graph
    again = LoweredGraph(tf.Graph(), {}, {})
    with again.graph.as_default():
        feeds: dict[str, _Made] = {}
        for name, tensor_name in lowered.inputs.items():
            tensor = old.get_tensor_by_name(tensor_name)
            taken = tf.compat.v1.placeholder(tensor.dtype, tensor.shape, tensor.op.name)
            feeds[tensor_name] = taken
            again.inputs[name] = taken.name
        for tensor_name, value in lowered.weights.items():
            feeds[tensor_name] = copier.outside(value, tensor_name, again.weights)
        wanted = [old.get_tensor_by_name(name) for name in lowered.outputs.values()]
        made = copier.copy(old, feeds, wanted)
        for name, tensor in zip(lowered.outputs, made, strict=True):
            again.outputs[name] = tensor.name
    return again


def _bytes_of(captured: Sequence[tf.Tensor]) -> int:
    return sum(
        dtype.size * (shape.num_elements() or 0)
        for dtype, shape in (_held_by(tensor) for tensor in captured)
    )


def _held_by(outer: Any) -> tuple[tf.DType, tf.TensorShape]:
    """What a captured tensor holds; of a table's handle nothing is told."""
    if outer.dtype != tf.resource:
        return outer.dtype, outer.shape
    data = getattr(outer, "_handle_data", None)
    if data is None or not data.is_set or len(data.shape_and_type) != 1:
        return tf.resource, tf.TensorShape([0])
    (held,) = data.shape_and_type
    return tf.as_dtype(held.dtype), tf.TensorShape(held.shape)


class _Copier:
    """Copies functions' graphs into the current graph.

    Args:
        weights: takes the large ones; None leaves them in the graph.

    Attributes:
        has_lowered: a rewrite was applied.
    """

    def __init__(self, weights: dict[str, NDArray[Any]] | None) -> None:
        self._weights = weights
        self._bodies = 0
        self.has_lowered = False

    def hold(self, outer: Any, name: str) -> _Made:
        """What stands for a tensor that a function took from outside."""
        dtype, _ = _held_by(outer)
        if dtype == tf.resource:
            return _Resource(outer)
        if outer.dtype != tf.resource:
            return self._constant(outer.numpy(), name)
        with context.eager_mode():
            value = tf.raw_ops.ReadVariableOp(resource=outer, dtype=dtype).numpy()
        return _Variable(self._constant(value, name))

    def _constant(self, value: NDArray[Any], name: str) -> tf.Tensor:
        if self._weights is None or value.nbytes < _WEIGHT_BYTES:
            return tf.constant(value, name=name)
        return self.outside(value, name, self._weights)

    def outside(
        self, value: NDArray[Any], name: str, weights: dict[str, NDArray[Any]]
    ) -> tf.Tensor:
        """A placeholder for a weight, which is entered in ``weights``."""
        name = name.partition(":")[0]
        held = tf.compat.v1.placeholder(value.dtype, value.shape, name)
        weights[held.name] = value
        return held

    def copy(
        self, graph: tf.Graph, feeds: Mapping[str, _Made], wanted: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Copy what ``wanted`` needs.

        Args:
            graph: a function's.
            feeds: what stands for its inputs, by their names.
            wanted: tensors of it.

        Returns:
            What stands for them.
        """
        made = dict(feeds)

        # Asserts and prints, which hang on others by control inputs, need not run.
        def sources(operation: tf.Operation) -> Sequence[tf.Tensor]:
            if all(tensor.name in made for tensor in operation.outputs):
                return ()
            return [t for t in sources_of(operation) if t.name not in made]

        for operation in ordered(wanted, sources):
            if all(tensor.name in made for tensor in operation.outputs):
                continue  # fed, or left by a loop together with another
            if operation.type == "Exit":
                made.update(self._turn(graph, loop_of(operation), made))
                # Copied once more, it loses the mark by which TensorFlow would make
                # circles of it again.
                self.has_lowered = True
                continue
            if is_meeting(operation):
                outputs = self._join(graph, operation, made)
            else:
                inputs = [made[tensor.name] for tensor in operation.inputs]
                outputs = self._emit(graph, operation, inputs)
            for tensor, output in zip(operation.outputs, outputs, strict=True):
                made[tensor.name] = output
        return [_tensor_of(made[tensor.name]) for tensor in wanted]

    def _emit(
        self, graph: tf.Graph, operation: tf.Operation, inputs: list[_Made]
    ) -> Sequence[_Made]:
        kind = operation.type
        if kind in _CALLS or context.context().has_function(kind):
            return self._inline(graph, operation, inputs)
        if kind == "Switch":
            # Of a branch, which is in a function of its own here.
            return [inputs[0], inputs[0]]
        if kind in _REFERENCES:
            return [self._constant(_value_of(operation), operation.name)]
        if kind in _TABLES:
            return [_Resource(_table(operation))]
        if kind in _CASES:
            return self._choose(graph, operation, inputs)
        if inputs and isinstance(inputs[0], _Variable) and kind in _READS:
            return self._read(operation, inputs)
        if kind in _FIND and isinstance(inputs[0], _Resource):
            inputs = [*_read_table(operation, inputs[0]), *inputs[1:]]
        if kind == "Identity" and _is_other(inputs[0], operation.inputs[0]):
            return inputs
        if any(
            tensor.dtype.is_complex
            for tensor in (*operation.inputs, *operation.outputs)
        ):
            return self._emit_complex(operation, inputs)
        if kind in LOWERINGS:
            with _scope(operation.name):
                lowered = LOWERINGS[kind](operation, *inputs)
            if lowered is not None:
                self.has_lowered = True
                return lowered if isinstance(lowered, list | tuple) else [lowered]
        return self._repeat(graph, operation, inputs)

    def _emit_complex(
        self, operation: tf.Operation, inputs: list[_Made]
    ) -> Sequence[_Made]:
        """ONNX has complex numbers in name only: they are two real ones each here."""
        if operation.type not in COMPLEX:
            raise ExportError(
                f"complex numbers cannot be converted: {operation.type} (in"
                f" {operation.name}) has no form without them"
            )
        self.has_lowered = True
        with _scope(operation.name):
            lowered = COMPLEX[operation.type](operation, *inputs)
        return lowered if isinstance(lowered, list | tuple) else [lowered]

    def _inline(
        self, graph: tf.Graph, operation: tf.Operation, inputs: list[_Made]
    ) -> Sequence[_Made]:
        # Functions of TensorFlow 1 are operators of their own name: tf.nn.ctc_loss.
        is_call = operation.type in _CALLS
        name = operation.get_attr("f").name if is_call else operation.type
        body = _body(graph, name, operation.inputs)
        feeds = {
            inner.name: given for inner, given in zip(body.inputs, inputs, strict=True)
        }
        # The call's own name says nothing; the layer before it does.
        layer, _, _ = operation.name.rpartition("/")
        with _scope(layer):
            return self.copy(body, feeds, body.outputs)

    def _turn(
        self, graph: tf.Graph, loop: Loop, made: Mapping[str, _Made]
    ) -> dict[str, _Made]:
        """A loop of TensorFlow 1 as one of TensorFlow 2; what is left by its exits."""
        constants = {
            inside.name: made[outside.name] for outside, inside in loop.constants
        }
        first = [_tensor_of(made[v.enters.name]) for v in loop.variables]

        def goes_on(*given: tf.Tensor) -> tf.Tensor:
            feeds = {
                v.merged.name: tensor
                for v, tensor in zip(loop.variables, given, strict=True)
            }
            return self.copy(graph, {**constants, **feeds}, [loop.condition])[0]

        def hand_on(*given: tf.Tensor) -> list[tf.Tensor]:
            feeds = {
                tensor.name: held
                for v, held in zip(loop.variables, given, strict=True)
                for tensor in (v.merged, v.kept)
            }
            handed = [variable.handed for variable in loop.variables]
            return self.copy(graph, {**constants, **feeds}, handed)

        left = _looped(goes_on, hand_on, first)
        return {
            tensor.name: given
            for variable, given in zip(loop.variables, left, strict=True)
            for tensor in variable.exits
        }

    def _join(
        self, graph: tf.Graph, operation: tf.Operation, made: Mapping[str, _Made]
    ) -> Sequence[tf.Tensor]:
        """Branches of TensorFlow 1 as those of TensorFlow 2; and which one it was."""
        meeting = meeting_of(operation)
        flag = _tensor_of(made[meeting.decides.name])
        (answer,) = tf.nest.flatten(
            tf.cond(
                flag,
                lambda: self.copy(graph, made, [meeting.if_true]),
                lambda: self.copy(graph, made, [meeting.if_false]),
            )
        )
        return [answer, tf.cast(flag, tf.int32)]

    def _choose(
        self, graph: tf.Graph, operation: tf.Operation, inputs: list[_Made]
    ) -> Sequence[tf.Tensor]:
        """One of several functions by its number, of which tf2onnx knows but two."""
        number, *given = inputs
        bodies = [
            _body(graph, function.name, operation.inputs[1:])
            for function in operation.get_attr("branches")
        ]

        def run(body: Any) -> list[tf.Tensor]:
            feeds = {
                inner.name: taken
                for inner, taken in zip(body.inputs, given, strict=True)
            }
            return self.copy(body, feeds, body.outputs)

        # What is no number of a branch is the last one's.
        def among(first: int) -> list[tf.Tensor]:
            if first == len(bodies) - 1:
                return run(bodies[first])
            made: list[tf.Tensor] = tf.nest.flatten(
                tf.cond(
                    tf.equal(_tensor_of(number), first),
                    lambda: run(bodies[first]),
                    lambda: among(first + 1),
                )
            )
            return made

        with _scope(operation.name):
            return among(0)

    def _read(self, operation: tf.Operation, inputs: list[_Made]) -> Sequence[_Made]:
        """What is read of a variable, which is a constant here."""
        (held, *others) = (_tensor_of(given) for given in inputs)
        match operation.type:
            case "VariableShape":
                return [tf.shape(held, operation.get_attr("out_type"))]
            case "ResourceGather":
                axis = operation.get_attr("batch_dims")
                return [tf.gather(held, others[0], axis=axis, batch_dims=axis)]
            case "ResourceGatherNd":
                return [tf.gather_nd(held, others[0])]
        return [held]

    def _repeat(
        self, graph: tf.Graph, operation: tf.Operation, inputs: list[_Made]
    ) -> Sequence[tf.Tensor]:
        """The operation once more; the functions that it names are copied too."""
        tensors = [_tensor_of(given) for given in inputs]
        given = inputs[1:] if operation.type in _BRANCHES else inputs
        shapes = [tensor.shape for tensor in operation.inputs]
        if operation.type in _BRANCHES:
            shapes = shapes[1:]
        if operation.type in _LOOPS:
            # What holds in every turn, which may be less than what holds in the first.
            shapes = [tensor.shape for tensor in operation.outputs]
        attributes = {}
        for key, value in operation.node_def.attr.items():
            if key.startswith("_"):
                continue  # of XLA, of where it was placed: not of what it does
            if value.HasField("func"):
                value = self._function(graph, value.func.name, given, shapes)
            attributes[key] = value
        dtypes = [tensor.dtype for tensor in operation.outputs]
        if operation.type in _LOOPS:
            dtypes = [tensor.dtype for tensor in tensors]
            attributes["T"] = attr_value_pb2.AttrValue()
            attributes["T"].list.type.extend(dtype.as_datatype_enum for dtype in dtypes)
            attributes["output_shapes"] = attr_value_pb2.AttrValue()
            attributes["output_shapes"].list.shape.extend(
                (_tensor_of(held).shape if _is_other(held, old) else shape).as_proto()
                for old, shape, held in zip(
                    operation.inputs, shapes, inputs, strict=True
                )
            )
        elif operation.type in _BRANCHES:
            attributes["Tin"] = attr_value_pb2.AttrValue()
            attributes["Tin"].list.type.extend(
                tensor.dtype.as_datatype_enum for tensor in tensors[1:]
            )
        new = tf.compat.v1.get_default_graph().create_op(
            operation.type, tensors, dtypes, attrs=attributes, name=operation.name
        )
        for old, tensor in zip(operation.outputs, new.outputs, strict=True):
            if old.dtype == tensor.dtype:
                tensor.set_shape(old.shape)
        return list(new.outputs)

    def _function(
        self,
        graph: tf.Graph,
        name: str,
        given: Sequence[_Made],
        shapes: Sequence[tf.TensorShape],
    ) -> attr_value_pb2.AttrValue:
        """Copy a loop's or a branch's function into the current graph's library."""
        body = _body(graph, name, shapes=shapes)
        current = tf.compat.v1.get_default_graph()

        def copied(*taken: tf.Tensor) -> list[tf.Tensor]:
            # No name twice: tf2onnx 1.17 puts a loop's condition into its body, and
            # what is called the same there for the same.
            names = current._names_in_use
            tf.compat.v1.get_default_graph()._names_in_use = names
            feeds: dict[str, _Made] = {}
            for inner, tensor, outside in zip(body.inputs, taken, given, strict=True):
                if isinstance(outside, _Variable):
                    feeds[inner.name] = _Variable(tensor)
                else:
                    feeds[inner.name] = tensor
            return self.copy(body, feeds, body.outputs)

        self._bodies += 1
        specs = [
            tf.TensorSpec.from_tensor(_tensor_of(outside), f"body{self._bodies}_{i}")
            if _is_other(outside, inner)
            else tf.TensorSpec(inner.shape, inner.dtype, f"body{self._bodies}_{i}")
            for i, (inner, outside) in enumerate(zip(body.inputs, given, strict=True))
        ]
        function = tf.function(copied, autograph=False).get_concrete_function(*specs)
        function.add_to_graph(current)
        value = attr_value_pb2.AttrValue()
        value.func.name = function.name
        return value


def _is_other(made: _Made, was: tf.Tensor) -> bool:
    """Whether something stands for a tensor that is none, or of another dtype."""
    return not isinstance(made, tf.Tensor) or made.dtype != was.dtype


def _looped(
    goes_on: Callable[..., tf.Tensor],
    hand_on: Callable[..., list[tf.Tensor]],
    first: Sequence[tf.Tensor],
) -> Sequence[tf.Tensor]:
    """A loop, with as much of the first shapes as holds in every turn.

    A frozen graph tells nothing of what comes round in a circle: it is tried.
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


def _tensor_of(made: _Made) -> tf.Tensor:
    if isinstance(made, _Variable):
        return made.tensor
    if isinstance(made, Pair):
        raise ExportError(
            "the model takes or answers complex numbers, or passes some through a loop,"
            " which ONNX cannot; let it answer their real and imaginary parts"
        )
    if isinstance(made, _Resource):
        raise ExportError(
            "the model passes a lookup table into a loop or out of a function, which"
            " cannot be converted"
        )
    return made


def _body(
    graph: tf.Graph,
    name: str,
    inputs: Sequence[tf.Tensor] = (),
    shapes: Sequence[tf.TensorShape] = (),
) -> Any:
    """The graph of a function that another one names."""
    definition = _definition(graph, name)
    known = [tensor.shape for tensor in inputs] or list(shapes)
    with graph.as_default():
        try:
            return function_def_to_graph.function_def_to_graph(definition, known)
        except ValueError:
            # The caller's shapes are not those that the function was made for.
            return function_def_to_graph.function_def_to_graph(definition)


def _definition(graph: tf.Graph, name: str) -> Any:
    function = graph._get_function(name)
    if function is None:
        # What a SavedModel's functions call is known to the process, not to them.
        return context.context().get_function_def(name)
    return getattr(function, "cached_definition", None) or function.definition


def _value_of(operation: tf.Operation) -> NDArray[Any]:
    """What a variable of TensorFlow 1 holds, which its name tells."""

    def read() -> tf.Tensor:
        return tf.identity(
            tf.raw_ops.VariableV2(
                shape=operation.get_attr("shape"),
                dtype=operation.get_attr("dtype"),
                container=operation.get_attr("container"),
                shared_name=operation.get_attr("shared_name") or operation.name,
            )
        )

    with context.eager_mode():
        value: NDArray[Any] = tf.compat.v1.wrap_function(read, [])().numpy()
        return value


def _table(operation: tf.Operation) -> tf.Tensor:
    """The handle of a table of TensorFlow 1, which its name tells."""
    make = getattr(tf.raw_ops, operation.type.removesuffix("V2") + "V2")
    with context.eager_mode():
        return make(
            key_dtype=operation.get_attr("key_dtype"),
            value_dtype=operation.get_attr("value_dtype"),
            container=operation.get_attr("container"),
            shared_name=operation.get_attr("shared_name") or operation.name,
            use_node_name_sharing=True,
        )


def _read_table(
    operation: tf.Operation, table: _Resource
) -> tuple[tf.Tensor, tf.Tensor]:
    kinds = operation.get_attr("Tin"), operation.get_attr("Tout")
    if tf.string in kinds:
        raise ExportError(
            "ONNX has no operator for what the model does: it looks up texts"
            f" ({operation.type} in {operation.name[:120]})"
        )
    with context.eager_mode():
        keys, values = tf.raw_ops.LookupTableExportV2(
            table_handle=table.handle,
            Tkeys=kinds[0],
            Tvalues=kinds[1],
        )
        found = keys.numpy(), values.numpy()
    return tf.constant(found[0]), tf.constant(found[1])


def _scope(name: str) -> Any:
    """Under this very name, wherever one is: old names begin with their layers."""
    return tf.name_scope(f"{name}/" if name else "")
