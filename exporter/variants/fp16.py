"""Make model.onnx in half precision, for CUDA.

ONNX Runtime's own converter is used, a maintained fork of onnxconverter-common, which
would also cast the inputs that Resize and GroupNorm must keep in float32. The converter
leaves its casts at the end of the graph, so the nodes are sorted here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from exporter.errors import ExportError, first_line
from exporter.proof.draws import Batch
from exporter.variants.reader import Reader

# The largest number of IEEE 754 binary16.
LARGEST = 65504.0


def to_fp16(fp32: Path, batches: Iterable[Batch]) -> onnx.ModelProto:
    """Convert a model's weights and operators; its inputs and outputs stay float32.

    Operators without a half-precision kernel (TopK, Range, NonMaxSuppression …) stay
    float32.

    Args:
        fp32: the file model.onnx.
        batches: inputs, arrays ``(N, …)`` by name, for which no number may become too
            large.

    Raises:
        ExportError: the converter fails, or a number would become infinite.
    """
    model = onnx.load(fp32)
    try:
        _check_ranges(fp32, Reader(batches, model))
        converted = ONNXModel(convert_float_to_float16(model, keep_io_types=True))
        converted.topological_sort()
        onnx.checker.check_model(converted.model, full_check=True)
    except ExportError:
        raise
    except Exception as ex:
        raise ExportError(f"it cannot be made float16: {first_line(ex)}") from ex
    half: onnx.ModelProto = converted.model
    return half


def _check_ranges(fp32: Path, reader: Reader) -> None:
    """Check every number that the float32 model computes.

    The CPU would not show the problem: it has few half-precision kernels, computes in
    float32 between casts, and drops a cast there and back. On CUDA the number is
    infinite.
    """
    with tempfile.TemporaryDirectory() as scratch:
        calibrator = create_calibrator(
            fp32,
            augmented_model_path=str(Path(scratch, "ranges.onnx")),
            calibrate_method=CalibrationMethod.MinMax,
        )
        calibrator.collect_data(reader)
        ranges = calibrator.compute_data().data
    for name, found in ranges.items():
        largest = max(float(np.abs(limit).max()) for limit in found.range_value)
        if largest > LARGEST:
            raise ExportError(
                f"its tensor {name!r} reaches {largest:.3g}, and the largest float16 is"
                f" {LARGEST:.0f}"
            )
