"""TensorFlow: the SavedModel itself, and what all that runs in TensorFlow shares.

Of the service, this file and frozen_graph.py alone import TensorFlow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.folder import SAVED_MODEL, SIGNATURE
from runtime.backends import InputRefused, TensorSpec, check_inputs
from runtime.backends.session_config import apply_session_config
from runtime.backends.warming import Ranges, warm_up
from runtime.errors import BackendError

# Before the import, or TensorFlow writes a page to standard error; who wants the page
# sets the variable himself.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


# Whatever the input: there is no kernel for an operator, or not on this machine.
_OF_MACHINE = re.compile(r"OpKernel|Cannot assign a device|not registered")
# That shapes do not meet, which numbers have no part in.
_OF_SHAPES = re.compile(
    r"Input to reshape|size-incompatible|Incompatible shapes|ConcatOp : Dim"
    r"|required broadcastable shapes|evenly divisible by filter depth"
)


@dataclass(frozen=True)
class Signature:
    """A TensorFlow function of named tensors, which the exporter converts.

    Attributes:
        call: takes each input by its name, answers with each output by its name.
        inputs: by name, each with TensorFlow's ``shape`` and ``dtype``.
        outputs: the same of the outputs.
    """

    call: Callable[..., Mapping[str, Any]]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


class TensorFlowBackend:
    """One signature, run by TensorFlow.

    Args:
        signature: what is run.
        ranges: that inputs are warmed with; see ``warm_up``.

    Raises:
        BackendError: TensorFlow cannot run it, or a tensor of it has no rank.
    """

    name = "tensorflow"

    def __init__(self, signature: Signature, ranges: Ranges | None = None) -> None:
        tensorflow = import_tensorflow()
        self.signature = signature
        self._constant = tensorflow.constant
        self.device = "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"
        self.inputs = _specs(signature.inputs)
        self.outputs = _specs(signature.outputs)
        # Of what it raises, what an input may be to blame for.
        errors = tensorflow.errors
        self._refusals = (
            errors.InvalidArgumentError,
            errors.OutOfRangeError,
            errors.DataLossError,
        )
        warm_up(self, ranges)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """See ``Backend.run``."""
        check_inputs(self.inputs, inputs)
        try:
            tensors = {name: self._constant(array) for name, array in inputs.items()}
            outputs = self.signature.call(**tensors)
        except Exception as ex:
            raise self._failure(ex) from ex
        return {spec.name: outputs[spec.name].numpy() for spec in self.outputs}

    def _failure(self, ex: Exception) -> BackendError:
        """Tell an input that is not taken from a model that cannot be run here."""
        sentence = "TensorFlow failed on this input"
        if not isinstance(ex, self._refusals) or _OF_MACHINE.search(str(ex)):
            return BackendError(sentence)
        return InputRefused(sentence, is_of_shapes=bool(_OF_SHAPES.search(str(ex))))


class SavedModelBackend(TensorFlowBackend):
    """One signature of a SavedModel, called as a concrete function.

    Args:
        path: the SavedModel's folder.
        name: the signature's.
        ranges: that inputs are warmed with; see ``warm_up``.

    Raises:
        NoSignature: it has no signature of this name.
        BackendError: TensorFlow is not installed, or cannot load or run it.
    """

    def __init__(
        self, path: Path, name: str = SIGNATURE, ranges: Ranges | None = None
    ) -> None:
        super().__init__(load_signature(path, name), ranges)


class NoSignature(BackendError):
    """A SavedModel has no signature of the name that is wanted."""


def load_signature(path: Path, name: str = SIGNATURE) -> Signature:
    """Load a signature of a SavedModel, of TensorFlow 2 or 1.

    Raises:
        NoSignature: it has no signature of this name; the sentence lists those it has.
        BackendError: TensorFlow is not installed, or cannot load it.
    """
    tensorflow = import_tensorflow()
    try:
        loaded = tensorflow.saved_model.load(str(path))
    except Exception as ex:
        raise BackendError(f"TensorFlow cannot load {SAVED_MODEL}") from ex
    if name not in loaded.signatures:
        raise NoSignature(
            f"{SAVED_MODEL} has no signature {name!r}; it has"
            f" {', '.join(sorted(loaded.signatures)) or 'none'}"
        )
    function = loaded.signatures[name]
    # The signature does not keep its variables alive; what was loaded does.
    function.keep_alive = loaded
    return Signature(
        function, function.structured_input_signature[1], function.structured_outputs
    )


def import_tensorflow() -> Any:
    """TensorFlow, imported and configured when a model first needs it.

    Raises:
        BackendError: it is not installed, or ``configProto`` is not for it.
    """
    try:
        import tensorflow
    except ModuleNotFoundError as ex:
        raise BackendError(
            "TensorFlow is not installed here; install the extra 'tensorflow' (README,"
            " Installing)"
        ) from ex
    apply_session_config(tensorflow)
    return tensorflow


def _specs(tensors: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name, np.dtype(tensor.dtype.as_numpy_dtype), _shape(name, tensor.shape)
        )
        for name, tensor in sorted(tensors.items())
    )


def _shape(name: str, shape: Any) -> tuple[int | None, ...]:
    if shape.rank is None:
        raise BackendError(f"tensor {name!r} of the model has no known number of axes")
    return tuple(shape.as_list())
