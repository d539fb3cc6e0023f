"""Convert a TensorFlow model to an ONNX model.

Only this file, ``optimizers.py`` and ``exporter.rewrites`` know tf2onnx.

``tf2onnx.convert.from_keras`` is not used, because it fails on every Keras 3 Sequential
(tensorflow-onnx issues 2319, 2348, 2448). The signature is converted, because the
service runs the signature: a SavedModel's, or the part between two nodes of a frozen
graph. tf2onnx's own loaders are not used either: ``exporter.lowering.lower`` gives it a
graph that it can convert.
"""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import tensorflow as tf
import tf2onnx
from tf2onnx import tf_loader, tfonnx

from exporter.errors import DrawsNumbers, ExportError, SourceError, first_line
from exporter.lowering.lower import LARGE_BYTES, LoweredGraph, lower
from exporter.onnx_model.clean import clean
from exporter.onnx_model.external_data import move_out
from exporter.onnx_model.kernels import fit_kernels, graphs_of
from exporter.onnx_model.optimizers import optimize
from exporter.options import Options
from exporter.rewrites import HANDLERS
from exporter.rewrites.registry import Handler
from runtime.backends.randomness import (
    DRAWS,
    IN_INFERENCE_MODE,
    is_seeded,
    random_operators,
)
from runtime.backends.saved_model import Signature

BATCH = "batch"
# A node's name begins with the layers that it came from. A message shows so many
# characters of it.
_SHOWN = 120
# These operators of ONNX draw numbers from another generator than TensorFlow's.
_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
# These operators of TensorFlow read or change the characters of texts.
_OF_CHARACTERS = frozenset(
    {"RegexReplace", "SparseCross", "StaticRegexReplace", "StringLower", "StringSplit"}
    | {"StringSplitV2", "StringToHashBucketFast", "StringToHashBucketStrong"}
)


def convert(
    signature: Signature,
    options: Options | None = None,
    report: Callable[[str], None] = lambda step: None,
    large_bytes: int = LARGE_BYTES,
    data: Path | None = None,
) -> onnx.ModelProto:
    """Convert a signature of TensorFlow.

    Args:
        signature: see ``TensorFlowBackend.signature``.
        options: the settings of the conversion.
        report: is called with each step as it begins.
        large_bytes: a model with more bytes of weights has the large ones in ``data``.
        data: a file in the folder in which the result will be saved.

    Returns:
        A checked model. Inputs and outputs are named as in the signature, a free first
        axis is named ``batch``, and nodes are named by the layers that they came from.

    Raises:
        SourceError: ``options`` name an input that the signature does not have.
        ExportError: the model has something that ONNX or tf2onnx does not have.
    """
    options = options or Options()
    logging.getLogger("tf2onnx").setLevel(
        logging.INFO if options.verbose else logging.CRITICAL
    )
    if both := sorted(set(signature.inputs) & set(signature.outputs)):
        raise ExportError(
            f"an input and an output are both called {both[0]!r}, which ONNX cannot"
            " tell apart; give one of them another name in the signature"
        )
    if unknown := sorted(set(options.inputs_as_nchw) - set(signature.inputs)):
        raise SourceError(
            f"there is no input {unknown[0]!r} to take as NCHW; the inputs are"
            f" {', '.join(sorted(signature.inputs))}"
        )
    report("freezing")
    try:
        lowered = lower(signature, large_bytes)
    except ExportError:
        raise
    except Exception as ex:
        raise ExportError(f"TensorFlow cannot freeze it: {first_line(ex)}") from ex
    _check_draws(signature, lowered)
    report("converting")
    model = _convert_graph(lowered, options)
    _check_operators(model)
    _count_turns(model)
    _allow_empty(model)
    report("cleaning")
    model = fit_kernels(clean(model) if options.clean else model)
    # The axis is named after the cleaning, which would take the free axes of two inputs
    # for one if they had the same name.
    _name_batch(model)
    _check(model)
    if lowered.weights:
        if data is None:
            raise ExportError("its weights are too large for one file")
        move_out(model, lowered.weights, data)
    return model


def _check_draws(signature: Signature, lowered: LoweredGraph) -> None:
    """Refuse a model that draws random numbers, as layers for augmentation do."""
    graph = getattr(signature.call, "graph", None)
    found = random_operators(
        lowered.graph,
        [lowered.graph.get_tensor_by_name(name) for name in lowered.outputs.values()],
        is_seeded=graph is not None and is_seeded(graph),
    )
    if found:
        raise DrawsNumbers(f"{DRAWS}: {_shown(found)}; {IN_INFERENCE_MODE}")


def _convert_graph(lowered: LoweredGraph, options: Options) -> onnx.ModelProto:
    inputs = [*lowered.inputs.values(), *lowered.weights]
    outputs = list(lowered.outputs.values())
    names = {
        tensor: name
        for tensors in (lowered.inputs, lowered.outputs)
        for name, tensor in tensors.items()
    }
    try:
        with warnings.catch_warnings(), tf.device("/cpu:0"):
            # tf2onnx 1.17 has not caught up with numpy 2.
            warnings.simplefilter("ignore")
            graph_def = lowered.graph.as_graph_def(add_shapes=True)
            with tf.Graph().as_default():
                graph_def = tf_loader.tf_optimize(inputs, outputs, graph_def)
            with tf.Graph().as_default() as graph:
                tf.import_graph_def(graph_def, name="")
                process = functools.partial(
                    tfonnx.process_tf_graph,
                    graph,
                    # An operator without a handler stays, and is refused by its name
                    # below.
                    continue_on_error=True,
                    opset=options.opset,
                    custom_op_handlers={
                        operator: (_custom(handle), [])
                        for operator, handle in HANDLERS.items()
                    },
                    inputs_as_nchw=[lowered.inputs[n] for n in options.inputs_as_nchw],
                    input_names=inputs,
                    output_names=outputs,
                    tensors_to_rename=names,
                )
                model = optimize(process)
    except Exception as ex:
        raise ExportError(f"tf2onnx cannot convert it: {first_line(ex)}") from ex
    model.producer_name, model.producer_version = "tf2onnx", tf2onnx.__version__
    return model


def _custom(handle: Handler) -> Callable[..., None]:
    """Wrap a handler in the form in which tf2onnx calls it, with more arguments."""
    return lambda graph, node, name, arguments: handle(graph, node)


def _check(model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as ex:
        raise ExportError(
            f"tf2onnx wrote a graph that is not ONNX: {first_line(ex)}"
        ) from ex


def _check_operators(model: onnx.ModelProto) -> None:
    """Refuse operators of TensorFlow that tf2onnx left without an error.

    A node's name begins with the Keras layers that it came from.
    """
    unknown, random = {}, {}
    for node in _nodes(model.graph):
        if not onnx.defs.has(node.op_type, node.domain):
            unknown[node.op_type] = node.name
        elif node.op_type in _RANDOM:
            random[node.op_type] = node.name
    if unknown:
        why = (
            "; it looks whole texts up in a vocabulary, but cannot split, change or"
            " hash them, so do that before the model"
            if unknown.keys() & _OF_CHARACTERS
            else ""
        )
        raise ExportError(
            f"ONNX has no operator for what the model does: {_shown(unknown)}{why}"
        )
    if random:
        raise DrawsNumbers(f"{DRAWS}: {_shown(random)}; {IN_INFERENCE_MODE}")


def _shown(found: dict[str, str]) -> str:
    """A list of the operators, each with the layer of one of its nodes."""
    names = (f"{op} (in {name[:_SHOWN]})" for op, name in sorted(found.items()))
    return ", ".join(names)[:500]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _count_turns(model: onnx.ModelProto) -> None:
    """Tell ONNX Runtime that the number of a loop's turn is a scalar.

    TensorFlow's optimizer may lose the shapes of a function's inputs if a branch lies
    in a loop that lies in another loop.
    """
    for node in _nodes(model.graph):
        if node.op_type == "Loop":
            for attribute in node.attribute:
                for taken in attribute.g.input[:2]:
                    taken.type.tensor_type.shape.SetInParent()


def _allow_empty(model: onnx.ModelProto) -> None:
    """Let a computed length of 0 mean 0; ONNX's default is the length of the input."""
    nodes = list(_nodes(model.graph))
    given = {node.output[0] for node in nodes if node.op_type == "Constant"}
    for graph in graphs_of(model.graph):
        given |= {tensor.name for tensor in graph.initializer}
    for node in nodes:
        if node.op_type == "Reshape" and node.input[1] not in given:
            del node.attribute[:]
            node.attribute.append(onnx.helper.make_attribute("allowzero", 1))


def _name_batch(model: onnx.ModelProto) -> None:
    """Name the free first axis; tf2onnx gives it a new name each time, ``unk__36``."""
    old_names = set()
    for node in (*model.graph.input, *model.graph.output):
        dims = node.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value"):
            old_names.add(dims[0].dim_param)
            dims[0].dim_param = BATCH
    for node in model.graph.value_info:
        for dim in node.type.tensor_type.shape.dim:
            # An axis of a known size has an empty name.
            if dim.dim_param and dim.dim_param in old_names:
                dim.dim_param = BATCH
