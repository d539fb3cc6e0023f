"""A TensorFlow model -> an ONNX model. The only file that knows tf2onnx.

``tf2onnx.convert.from_keras`` is not used: it breaks on every Keras 3 Sequential
(tensorflow-onnx issues 2319, 2348, 2448). The signature, of a SavedModel or between two
nodes of a frozen graph, is what the service runs, and so what is converted.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping

import onnx
import tensorflow as tf
import tf2onnx

from exporter.errors import ExportError, OptionError, first_line
from exporter.options import DEFAULTS, Options
from runtime.backends.onnx import NCHW_INPUTS
from runtime.backends.saved_model import Signature

BATCH = "batch"


def convert(signature: Signature, options: Options = DEFAULTS) -> onnx.ModelProto:
    """Convert what TensorFlow runs.

    Args:
        signature: see ``TensorFlowBackend.signature``.
        options: the opset, and inputs that it shall take as ``(N, C, H, W)``.

    Returns:
        A checked model: inputs and outputs named as in the signature, a free
        first axis named ``batch``.

    Raises:
        ExportError: it holds what ONNX or tf2onnx has not.
        OptionError: an input that is to be ``(N, C, H, W)`` is not there, or no image.
    """
    logging.getLogger("tf2onnx").setLevel(
        logging.INFO if options.verbose else logging.ERROR
    )
    _check_nchw(signature, options.inputs_as_nchw)
    model = _convert_signature(signature, options)
    _check_operators(model)
    _name_tensors(model, signature)
    _name_batch(model)
    if options.inputs_as_nchw:
        names = ",".join(options.inputs_as_nchw)
        onnx.helper.set_model_props(model, {NCHW_INPUTS: names})
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as ex:
        raise ExportError(
            f"tf2onnx wrote a graph that is not ONNX: {first_line(ex)}"
        ) from ex
    return model


def _check_nchw(signature: Signature, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in signature.inputs or signature.inputs[name].shape.rank != 4:
            raise OptionError(
                f"{name!r} cannot be taken as (N, C, H, W): it is no input of 4 axes;"
                f" the inputs are {', '.join(sorted(signature.inputs))}"
            )


def _convert_signature(signature: Signature, options: Options) -> onnx.ModelProto:
    inputs = signature.inputs
    names = sorted(inputs)

    def serve(*tensors: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return signature.call(**dict(zip(names, tensors, strict=True)))

    specs = [tf.TensorSpec(inputs[n].shape, inputs[n].dtype, name=n) for n in names]
    try:
        with warnings.catch_warnings():
            # tf2onnx 1.17 has not caught up with numpy 2.
            warnings.simplefilter("ignore")
            model: onnx.ModelProto
            model, _ = tf2onnx.convert.from_function(
                tf.function(serve, input_signature=specs),
                input_signature=specs,
                opset=options.opset,
                inputs_as_nchw=list(options.inputs_as_nchw),
            )
    except Exception as ex:
        raise ExportError(f"tf2onnx cannot convert it: {first_line(ex)}") from ex
    return model


def _check_operators(model: onnx.ModelProto) -> None:
    """Refuse what tf2onnx left: it says it managed, with TensorFlow's operators inside.

    A node's name begins with the Keras layers it came from.
    """
    unknown = {
        node.op_type: node.name
        for node in _nodes(model.graph)
        if not onnx.defs.has(node.op_type, node.domain)
    }
    if unknown:
        found = ", ".join(f"{op} (in {name})" for op, name in sorted(unknown.items()))
        raise ExportError(
            f"ONNX has no operator for what the model does: {found[:500]}"
        )


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _name_tensors(model: onnx.ModelProto, signature: Signature) -> None:
    """Hold tf2onnx to the signature's names, which requests and the service use."""
    for kind, nodes, wanted in (
        ("inputs", model.graph.input, signature.inputs),
        ("outputs", model.graph.output, signature.outputs),
    ):
        if {node.name for node in nodes} != set(wanted):
            raise ExportError(
                f"the ONNX {kind} are {', '.join(node.name for node in nodes)} and the"
                f" signature's are {', '.join(sorted(wanted))}"
            )


def _name_batch(model: onnx.ModelProto) -> None:
    """Name the free first axis; tf2onnx calls it ``unk__36``, each time another."""
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
