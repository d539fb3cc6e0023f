"""ResNet-50 as an ONNX with random weights: only its speed matters here.

It needs no TensorFlow, so it can be made on a machine with a GPU that has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bundle.params import Params
from bundle.params_file import write_params
from runtime.backends.onnx import NCHW_INPUTS

_SIDE = 224
_CLASSES = 1000
# The number of blocks of each stage, and the channels of their inner convolutions.
_STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))


def write(folder: Path, name: str, dtype: type[np.float32] | type[np.float16]) -> None:
    """Write a bundle that takes pictures of 224 x 224 pixels in colour.

    Args:
        folder: the bundle's folder, which is made.
        name: the model's name.
        dtype: the type in which the network computes. Inputs and outputs are float32.
    """
    folder.mkdir(parents=True)
    onnx.save(_Network(dtype).model(), folder / "model.onnx")
    labels = "".join(f"class {number}\n" for number in range(_CLASSES))
    (folder / "labels.txt").write_text(labels)
    write_params(
        folder,
        Params(
            name=name,
            labels="labels.txt",
            input_node="image",
            output_node="scores",
            img_channels=3,
            description="ResNet-50 with drawn weights",
        ),
    )


class _Network:
    """ResNet-50 (He et al., 2015), its batch normalization folded into convolutions."""

    def __init__(self, dtype: type[np.float32] | type[np.float16]) -> None:
        self._dtype = dtype
        self._draw = np.random.default_rng(7)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self._dtype))
        # Pixels of 0 to 255 become numbers of about -2 to 2.
        shifted = self._add("Sub", "image", self._constant(np.float32(127.5)))
        scaled = self._add("Mul", shifted, self._constant(np.float32(1 / 64)))
        at = self._add("Cast", scaled, to=element)
        at = self._add("Relu", self._conv(at, 3, 64, 7, 2))
        pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        at = self._add("MaxPool", at, **pool)
        channels = 64
        for stage, (blocks, inner) in enumerate(_STAGES):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                at = self._block(at, channels, inner, stride)
                channels = 4 * inner
        at = self._add("Flatten", self._add("GlobalAveragePool", at))
        weight = self._draw.normal(0, 0.02, (channels, _CLASSES))
        at = self._add("MatMul", at, self._constant(weight.astype(self._dtype)))
        at = self._add("Cast", at, to=TensorProto.FLOAT)
        self._nodes.append(helper.make_node("Softmax", [at], ["scores"], axis=-1))
        graph = helper.make_graph(
            self._nodes,
            "resnet50",
            [
                helper.make_tensor_value_info(
                    "image", TensorProto.FLOAT, ("N", 3, _SIDE, _SIDE)
                )
            ],
            [
                helper.make_tensor_value_info(
                    "scores", TensorProto.FLOAT, ["N", _CLASSES]
                )
            ],
            self._weights,
        )
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=9)
        helper.set_model_props(model, {NCHW_INPUTS: "image"})
        return model

    def _block(self, at: str, channels: int, inner: int, stride: int) -> str:
        out = self._add("Relu", self._conv(at, channels, inner, 1, 1))
        out = self._add("Relu", self._conv(out, inner, inner, 3, stride))
        out = self._conv(out, inner, 4 * inner, 1, 1, gain=0.3)
        if channels != 4 * inner or stride > 1:
            at = self._conv(at, channels, 4 * inner, 1, stride)
        return self._add("Relu", self._add("Add", out, at))

    def _conv(
        self, at: str, given: int, made: int, side: int, stride: int, gain: float = 1.0
    ) -> str:
        spread = gain * np.sqrt(2 / (given * side * side))
        weight = self._draw.normal(0, spread, (made, given, side, side))
        bias = self._draw.normal(0, 0.02, made)
        return self._add(
            "Conv",
            at,
            self._constant(weight.astype(self._dtype)),
            self._constant(bias.astype(self._dtype)),
            strides=[stride, stride],
            pads=[side // 2] * 4,
        )

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, value: NDArray[np.floating] | np.floating) -> str:
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name
