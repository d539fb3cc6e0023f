"""tf2onnx alone, used as its README says, on the models that the exporter converts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import onnx
import tensorflow as tf
import tf2onnx

from bundle.params import Preprocess
from exporter.errors import describe, first_line
from exporter.options import OPSET
from exporter.proof.parity import prove
from exporter.proof.tolerance import tolerance_of
from runtime.backends.onnx import open_onnx
from runtime.backends.options import BackendOptions
from runtime.backends.saved_model import Signature, TensorFlowBackend
from tests.zoo.specimen import Specimen
from tools.zoo.row import BROKEN, PROVED, REFUSED, WRONG, Attempt


def attempt(specimen: Specimen) -> Attempt:
    """Convert a specimen with tf2onnx alone, and prove it as the exporter does."""
    reference = TensorFlowBackend(specimen.make())
    try:
        model = _convert(reference.signature)
    except Exception as ex:
        return Attempt(REFUSED, first_line(ex))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        try:
            onnx.save_model(model, path)
            parity = prove(
                reference,
                open_onnx(path, BackendOptions(provider="cpu")),
                path,
                Preprocess(),
                None,
                ranges=specimen.ranges,
                tolerance=tolerance_of(reference.signature),
                batch_sizes=specimen.batch_sizes,
            )
        # A model that loads may still lack an output, or give another shape.
        except Exception as ex:
            return Attempt(BROKEN, first_line(_cause(ex)))
        if parity.passed:
            return Attempt(PROVED, "", parity.max_abs_diff)
        return Attempt(WRONG, describe(parity), parity.max_abs_diff)


def _convert(signature: Signature) -> onnx.ModelProto:
    names = sorted(signature.inputs)
    specs = [
        tf.TensorSpec(signature.inputs[n].shape, signature.inputs[n].dtype, name=n)
        for n in names
    ]

    def serve(*tensors: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return signature.call(**dict(zip(names, tensors, strict=True)))

    function = tf.function(serve, autograph=False)
    model, _ = tf2onnx.convert.from_function(function, specs, opset=OPSET)
    return model


def _cause(ex: Exception) -> BaseException:
    """Find ONNX Runtime's own error; a backend's sentence is written for clients."""
    return ex.__cause__ or ex
