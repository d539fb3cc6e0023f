"""Lower a TensorFlow function to one flat graph of operators that can become ONNX.

The function is copied, operator by operator, into a new graph. The copy changes it:

- calls are replaced by the called functions. TensorFlow's own inlining leaves the calls
    that Keras 3 marks for XLA (``_XlaMustCompile``, ``_noinline``: grouped
    convolutions, large depthwise ones), and tf2onnx passes them on as
    ``StatefulPartitionedCall``;
- variables and tables are replaced by their content (the function is frozen);
- operators that ONNX lacks are replaced by operators of TensorFlow that it has; see
    ``exporter.rewrites``.

``convert_variables_to_constants_v2`` is not used, because it writes the whole graph
into one message, which protobuf limits to 2 GB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.eager import context

from exporter.errors import ExportError
from exporter.lowering.bodies import body_of, scope
from exporter.lowering.control_flow import choose, join, turn
from exporter.lowering.frames import is_meeting, loop_of, ordered, sources_of
from exporter.lowering.frozen import (
    Made,
    Resource,
    Variable,
    bytes_of,
    held_by,
    held_in,
    is_other,
    read_table,
    table_of,
    tensor_of,
    value_of,
)
from exporter.rewrites import COMPLEX, LOWERINGS
from runtime.backends.saved_model import Signature

# These operators run another function, which their attribute ``f`` names.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_LOOPS = ("While", "StatelessWhile")
_BRANCHES = ("If", "StatelessIf")
_CASES = ("Case", "StatelessCase")
_READS = ("ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape")
# The variables and the tables that TensorFlow 1 has among the operators.
_REFERENCES = ("Variable", "VariableV2")
_TABLES = ("HashTable", "HashTableV2", "MutableHashTableV2")
_FIND = ("LookupTableFind", "LookupTableFindV2")
# A model with more bytes of weights keeps them outside the graph that TensorFlow and
# tf2onnx handle: a graph is one message, which protobuf limits to 2 GB, and tf2onnx
# copies it once for each of its optimizers.
LARGE_BYTES = 1_500_000_000
# A smaller weight of a large model stays in the graph, where it costs little and helps
# the conversion.
_WEIGHT_BYTES = 1 << 20
# A rewrite may leave operators that another one lowers. If this takes more turns, the
# rewrites go in a circle.
_TURNS = 8


@dataclass
class LoweredGraph:
    """The input of tf2onnx.

    Attributes:
        graph: a flat graph, except for the bodies of loops and branches.
        inputs: the graph's tensors (``x:0``) by the signature's names of the inputs.
        outputs: the graph's tensors by the signature's names of the outputs.
        weights: the large weights of a large model, of any shape and dtype, by the
            names of the placeholders that stand for them; else empty.
    """

    graph: tf.Graph
    inputs: dict[str, str]
    outputs: dict[str, str]
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)


def lower(signature: Signature, large_bytes: int = LARGE_BYTES) -> LoweredGraph:
    """Freeze a signature, flatten it, and replace the operators that ONNX lacks.

    Args:
        signature: see ``TensorFlowBackend.signature``.
        large_bytes: a model with more bytes of weights keeps them outside the graph.

    Raises:
        ExportError: a part of it cannot be frozen.
    """
    names = sorted(signature.inputs)
    # The signature's names are not used, because a node's name allows fewer characters.
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
    is_large = bytes_of(function.captured_inputs) > large_bytes
    copier = _Copier(lowered.weights if is_large else None)
    with lowered.graph.as_default():
        feeds: dict[str, Made] = {}
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
    raise ExportError("the rewrites of exporter.rewrites go in a circle")


def _copy_again(lowered: LoweredGraph, copier: _Copier) -> LoweredGraph:
    """Lower the operators that the rewrites of the turn before left."""
    old = lowered.graph
    again = LoweredGraph(tf.Graph(), {}, {})
    with again.graph.as_default():
        feeds: dict[str, Made] = {}
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


class _Copier:
    """Copies functions' graphs into the current graph.

    Args:
        weights: takes the large weights; None leaves them in the graph.

    Attributes:
        has_lowered: whether a rewrite was applied.
    """

    def __init__(self, weights: dict[str, NDArray[Any]] | None) -> None:
        self._weights = weights
        self._bodies = 0
        self.has_lowered = False

    def hold(self, outer: Any, name: str) -> Made:
        """The replacement of a tensor that a function took from outside."""
        dtype, _ = held_by(outer)
        if dtype == tf.resource:
            return Resource(outer)
        if outer.dtype != tf.resource:
            return self._constant(outer.numpy(), name)
        with context.eager_mode():
            value = tf.raw_ops.ReadVariableOp(resource=outer, dtype=dtype).numpy()
        return Variable(self._constant(value, name))

    def _constant(self, value: NDArray[Any], name: str) -> tf.Tensor:
        if self._weights is None or value.nbytes < _WEIGHT_BYTES:
            return tf.constant(value, name=name)
        return self.outside(value, name, self._weights)

    def outside(
        self, value: NDArray[Any], name: str, weights: dict[str, NDArray[Any]]
    ) -> tf.Tensor:
        """Make a placeholder for a weight, and enter the weight in ``weights``.

        Args:
            value: the weight, of any shape and dtype; the placeholder has the same.
            name: the name for the placeholder.
            weights: the weights by the placeholders' names; is changed.
        """
        name = name.partition(":")[0]
        held = tf.compat.v1.placeholder(value.dtype, value.shape, name)
        weights[held.name] = value
        return held

    def copy(
        self, graph: tf.Graph, feeds: Mapping[str, Made], wanted: Sequence[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Copy everything that ``wanted`` needs.

        Args:
            graph: the graph of a function.
            feeds: the replacements of its inputs, by the inputs' names.
            wanted: tensors of the graph.

        Returns:
            The copies of ``wanted``.
        """
        made = dict(feeds)

        # Asserts and prints depend on others only by control inputs; they are left out.
        def sources(operation: tf.Operation) -> Sequence[tf.Tensor]:
            if all(tensor.name in made for tensor in operation.outputs):
                return ()
            return [t for t in sources_of(operation) if t.name not in made]

        for operation in ordered(wanted, sources):
            if all(tensor.name in made for tensor in operation.outputs):
                continue  # it is fed, or was copied with the loop that it leaves
            if operation.type == "Exit":
                made.update(turn(self.copy, graph, loop_of(operation), made))
                # All is copied once more. The copy of the loop loses the mark by which
                # TensorFlow would turn it into circles again.
                self.has_lowered = True
                continue
            if is_meeting(operation):
                outputs = join(self.copy, graph, operation, made)
            else:
                inputs = [made[tensor.name] for tensor in operation.inputs]
                outputs = self._emit(graph, operation, inputs)
            for tensor, output in zip(operation.outputs, outputs, strict=True):
                made[tensor.name] = output
        return [tensor_of(made[tensor.name]) for tensor in wanted]

    def _emit(
        self, graph: tf.Graph, operation: tf.Operation, inputs: list[Made]
    ) -> Sequence[Made]:
        kind = operation.type
        if kind in _CALLS or context.context().has_function(kind):
            return self._inline(graph, operation, inputs)
        if kind == "Switch":
            # The copy of a branch is a function of its own, and needs no ``Switch``.
            return [inputs[0], inputs[0]]
        if kind in _REFERENCES:
            return [self._constant(value_of(operation), operation.name)]
        if kind == "VarHandleOp":
            return [Variable(self._constant(held_in(operation), operation.name))]
        if kind in _TABLES:
            return [Resource(table_of(operation))]
        if kind in _CASES:
            return choose(self.copy, graph, operation, inputs)
        if inputs and isinstance(inputs[0], Variable) and kind in _READS:
            return self._read(operation, inputs)
        if kind in _FIND and isinstance(inputs[0], Resource):
            inputs = [*read_table(operation, inputs[0]), *inputs[1:]]
        if kind == "Identity" and is_other(inputs[0], operation.inputs[0]):
            return inputs
        if any(
            tensor.dtype.is_complex
            for tensor in (*operation.inputs, *operation.outputs)
        ):
            return self._emit_complex(operation, inputs)
        if kind in LOWERINGS:
            with scope(operation.name):
                lowered = LOWERINGS[kind](operation, *inputs)
            if lowered is not None:
                self.has_lowered = True
                return lowered if isinstance(lowered, list | tuple) else [lowered]
        return self._repeat(graph, operation, inputs)

    def _emit_complex(
        self, operation: tf.Operation, inputs: list[Made]
    ) -> Sequence[Made]:
        """Lower complex numbers to pairs of real ones; ONNX Runtime has no others."""
        if operation.type not in COMPLEX:
            raise ExportError(
                f"complex numbers cannot be converted: {operation.type} (in"
                f" {operation.name}) has no form without them"
            )
        self.has_lowered = True
        with scope(operation.name):
            lowered = COMPLEX[operation.type](operation, *inputs)
        return lowered if isinstance(lowered, list | tuple) else [lowered]

    def _inline(
        self, graph: tf.Graph, operation: tf.Operation, inputs: list[Made]
    ) -> Sequence[Made]:
        # A function of TensorFlow 1 is an operator of its own name, as in
        # tf.nn.ctc_loss.
        is_call = operation.type in _CALLS
        name = operation.get_attr("f").name if is_call else operation.type
        body = body_of(graph, name, operation.inputs)
        feeds = {
            inner.name: given for inner, given in zip(body.inputs, inputs, strict=True)
        }
        # The call's own name means nothing to the user; the layer before it does.
        layer, _, _ = operation.name.rpartition("/")
        with scope(layer):
            return self.copy(body, feeds, body.outputs)

    def _read(self, operation: tf.Operation, inputs: list[Made]) -> Sequence[Made]:
        """Read a variable, which is a constant here."""
        (held, *others) = (tensor_of(given) for given in inputs)
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
        self, graph: tf.Graph, operation: tf.Operation, inputs: list[Made]
    ) -> Sequence[tf.Tensor]:
        """Copy the operation, and the functions that it names."""
        tensors = [tensor_of(given) for given in inputs]
        given = inputs[1:] if operation.type in _BRANCHES else inputs
        shapes = [tensor.shape for tensor in operation.inputs]
        if operation.type in _BRANCHES:
            shapes = shapes[1:]
        if operation.type in _LOOPS:
            # A shape that holds in every turn may be less exact than the one in the
            # first turn.
            shapes = [tensor.shape for tensor in operation.outputs]
        attributes = {}
        for key, value in operation.node_def.attr.items():
            if key.startswith("_"):
                continue  # notes for XLA and on devices do not change the result
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
                (tensor_of(held).shape if is_other(held, old) else shape).as_proto()
                for old, shape, held in zip(
                    operation.inputs, shapes, inputs, strict=True
                )
            )
        elif operation.type in _BRANCHES:
            attributes["Tin"] = attr_value_pb2.AttrValue()
            attributes["Tin"].list.type.extend(
                tensor.dtype.as_datatype_enum for tensor in tensors[1:]
            )
        # ``create_op`` does the same, but looks for arguments of old in each call.
        new = tf.compat.v1.get_default_graph()._create_op_internal(
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
        given: Sequence[Made],
        shapes: Sequence[tf.TensorShape],
    ) -> attr_value_pb2.AttrValue:
        """Copy a loop's or a branch's function into the current graph's library."""
        body = body_of(graph, name, shapes=shapes)
        current = tf.compat.v1.get_default_graph()

        def copied(*taken: tf.Tensor) -> list[tf.Tensor]:
            # No name may occur twice: tf2onnx 1.17 puts a loop's condition into its
            # body, and takes two nodes of one name for the same node.
            names = current._names_in_use
            tf.compat.v1.get_default_graph()._names_in_use = names
            feeds: dict[str, Made] = {}
            for inner, tensor, outside in zip(body.inputs, taken, given, strict=True):
                if isinstance(outside, Variable):
                    feeds[inner.name] = Variable(tensor)
                else:
                    feeds[inner.name] = tensor
            return self.copy(body, feeds, body.outputs)

        self._bodies += 1
        specs = [
            tf.TensorSpec.from_tensor(tensor_of(outside), f"body{self._bodies}_{i}")
            if is_other(outside, inner)
            else tf.TensorSpec(inner.shape, inner.dtype, f"body{self._bodies}_{i}")
            for i, (inner, outside) in enumerate(zip(body.inputs, given, strict=True))
        ]
        function = tf.function(copied, autograph=False).get_concrete_function(*specs)
        function.add_to_graph(current)
        value = attr_value_pb2.AttrValue()
        value.func.name = function.name
        return value
