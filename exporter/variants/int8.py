"""model.onnx in 8-bit integers, its ranges taken from real inputs (static QDQ).

The settings are measured, on a Xeon with AVX-512 VNNI, one thread, onnxruntime 1.31:

* Unsigned activations: signed ones are as fast in plain convolutions, and slower where
  there are ReLU6, residuals or upsampling (MobileNetV2 at batch 32: 1.05 times fp32's
  time against 0.76; a small U-Net 1.42 against 0.94), for ReLU and Clip can be left to
  an unsigned range alone.
* Weights of 7 bits: products of two 8-bit numbers overflow the 16-bit sums of AVX2
  without VNNI, and where a model will be served is not known. The accuracy of the MNIST
  CNN on 4,000 test images was 0.9640 with 7 bits and 0.9635 with 8 (fp32: 0.9643).
* By channel: as fast as by tensor, and the same accuracy was 0.9633 by tensor.
* MinMax: entropy and percentiles came to the same accuracy, 0.9640, and hold all that
  the model computes on all items in memory.
* Softmax, LayerNormalization and the like stay in float: with 8-bit probabilities the
  answers of a CNN whose classes are near to each other were off by a quarter of their
  spread (root mean square), and without by 1.3 %.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

import onnx
from onnxruntime.quantization import (
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from exporter.errors import ExportError, first_line
from exporter.proof.draws import Batch
from exporter.variants.reader import Reader

# What computes with weights; and what only moves, adds or bounds numbers between
# them, where going back to float would cost more than the operator itself.
_OPERATORS = [
    *("Conv", "ConvTranspose", "Gemm", "MatMul"),
    *("Add", "Mul", "Concat", "Pad", "Resize"),
    *("AveragePool", "GlobalAveragePool", "MaxPool"),
    *("Clip", "LeakyRelu", "Relu"),
    *("Reshape", "Squeeze", "Transpose", "Unsqueeze"),
]


def to_int8(fp32: Path, batches: Iterable[Batch]) -> onnx.ModelProto:
    """Quantize a model.

    Args:
        fp32: the model.onnx; its inputs and outputs stay as they are.
        batches: inputs as the service has them, ``(N, …)`` by name; of all that it
            computes on them, the least and the greatest become its ranges.

    Raises:
        ExportError: it cannot be quantized, or has no operator that could be.
    """
    # What goes wrong there comes as an exception too.
    logging.getLogger("onnxruntime.quantization").setLevel(logging.CRITICAL)
    source = onnx.load(fp32, load_external_data=False)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            prepared = Path(scratch, "prepared.onnx")
            quantized = Path(scratch, "quantized.onnx")
            # Symbolic shapes would need sympy, and add nothing to models of known rank.
            quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(quantized),
                Reader(batches, source),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=_OPERATORS,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
            model = onnx.load(quantized)
    except Exception as ex:
        raise ExportError(f"it cannot be quantized: {first_line(ex)}") from ex
    if not any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise ExportError("it has no operator that could be quantized")
    # Two tools have written it anew.
    del model.metadata_props[:]
    model.metadata_props.extend(source.metadata_props)
    return model
