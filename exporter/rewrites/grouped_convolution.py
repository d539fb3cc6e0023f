"""``Conv3D`` in groups: tf2onnx 1.17 looks for groups in two dimensions only.

It reads the number of channels from the layout's name, and does not know NDHWC. Its
Conv has one group, and ONNX Runtime refuses to run it (tensorflow-onnx issue 1868).
"""

from __future__ import annotations

from typing import Any

from tf2onnx.onnx_opset.nn import ConvOp

from exporter.rewrites.registry import handler


@handler("Conv3D")
def handle_convolution(graph: Any, node: Any) -> None:
    """Convert the convolution as tf2onnx does, and then set the number of groups."""
    is_last = node.get_attr_str("data_format") == "NDHWC"
    channels = graph.get_shape(node.input[0])[-1 if is_last else 1]
    of_kernel = graph.get_shape(node.input[1])[-2]
    ConvOp.any_version(graph.opset, graph, node)
    if channels > 0 and of_kernel > 0:
        node.set_attr("group", channels // of_kernel)
