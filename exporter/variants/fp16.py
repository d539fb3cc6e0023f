"""model.onnx in half precision, for CUDA.

By ONNX Runtime's own converter, a kept-up fork of onnxconverter-common's: that one
casts what Resize and GroupNorm must keep in float32. It leaves the casts that it adds
at the end of the graph, so its result is put in order.
"""

from __future__ import annotations

import onnx
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from exporter.errors import ExportError, first_line


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert a model's weights and operators; its inputs and outputs stay float32.

    What has no half-precision kernel (TopK, Range, NonMaxSuppression …) keeps float32.

    Args:
        model: float32; it is used up.

    Raises:
        ExportError: the converter cannot; or what it made is not ONNX.
    """
    try:
        converted = ONNXModel(convert_float_to_float16(model, keep_io_types=True))
        converted.topological_sort()
        onnx.checker.check_model(converted.model, full_check=True)
    except Exception as ex:
        raise ExportError(f"it cannot be made float16: {first_line(ex)}") from ex
    half: onnx.ModelProto = converted.model
    return half
