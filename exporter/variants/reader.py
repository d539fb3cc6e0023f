"""Give batches to onnxruntime's quantization tools in the form that they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from onnxruntime.quantization import CalibrationDataReader

from exporter.proof.draws import Batch
from runtime.backends.onnx import NCHW_INPUTS


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out batches in the layout of the ONNX.

    Args:
        batches: arrays ``(N, …)`` by name, pictures as ``(N, H, W, C)``.
        model: tells which inputs are ``(N, C, H, W)``.
    """

    def __init__(self, batches: Iterable[Batch], model: onnx.ModelProto) -> None:
        self._batches: Iterator[Batch] = iter(batches)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        self._nchw_inputs = metadata.get(NCHW_INPUTS, "").split(",")

    def get_next(self) -> Batch | None:
        """The next batch; None after the last.

        Returns:
            Arrays ``(N, …)`` by name in the ONNX's dtypes, pictures in its layout.
        """
        batch = next(self._batches, None)
        if batch is None:
            return None
        return {
            name: array.transpose(0, 3, 1, 2) if name in self._nchw_inputs else array
            for name, array in batch.items()
        }
