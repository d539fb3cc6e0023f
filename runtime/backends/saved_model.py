"""TensorFlow: the SavedModel itself. The only file of the service that imports it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.folder import SIGNATURE
from runtime.backends import TensorSpec, check_inputs, warm_up
from runtime.backends.session_config import apply_session_config
from runtime.errors import BackendError

# Before the import, or TensorFlow writes a page to standard error; who wants the page
# sets the variable himself.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class SavedModelBackend:
    """One SavedModel's serving signature, called as a concrete function.

    Args:
        path: the SavedModel's folder.

    Raises:
        BackendError: TensorFlow is not installed, or cannot load or run it, or it has
            no serving signature.
    """

    name = "tensorflow"

    def __init__(self, path: Path) -> None:
        tensorflow = _import_tensorflow()
        apply_session_config(tensorflow)
        self._signature = load_signature(path)
        self._constant = tensorflow.constant
        self.device = "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"
        self.inputs = _specs(self._signature.structured_input_signature[1])
        self.outputs = _specs(self._signature.structured_outputs)
        warm_up(self)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """See ``Backend.run``."""
        check_inputs(self.inputs, inputs)
        try:
            tensors = {name: self._constant(array) for name, array in inputs.items()}
            outputs = self._signature(**tensors)
        except Exception as ex:
            raise BackendError("TensorFlow failed on this input") from ex
        return {spec.name: outputs[spec.name].numpy() for spec in self.outputs}


def load_signature(path: Path) -> Any:
    """Load a SavedModel's serving signature, which the exporter converts.

    Raises:
        BackendError: TensorFlow is not installed, cannot load it, or it has none.
    """
    tensorflow = _import_tensorflow()
    try:
        loaded = tensorflow.saved_model.load(str(path))
    except Exception as ex:
        raise BackendError("TensorFlow cannot load saved_model.pb") from ex
    if SIGNATURE not in loaded.signatures:
        raise BackendError(
            f"saved_model.pb has no signature {SIGNATURE!r}; it has"
            f" {', '.join(sorted(loaded.signatures)) or 'none'}"
        )
    signature = loaded.signatures[SIGNATURE]
    # The signature does not keep its variables alive; what was loaded does.
    signature.keep_alive = loaded
    return signature


def _import_tensorflow() -> Any:
    try:
        import tensorflow
    except ModuleNotFoundError as ex:
        raise BackendError(
            "TensorFlow is not installed here; install the extra 'tensorflow' (README,"
            " Installing)"
        ) from ex
    return tensorflow


def _specs(tensors: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, np.dtype(tensor.dtype.as_numpy_dtype), _shape(tensor.shape))
        for name, tensor in sorted(tensors.items())
    )


def _shape(shape: Any) -> tuple[int | None, ...]:
    if shape.rank is None:
        raise BackendError("a tensor of the serving signature has no rank")
    return tuple(shape.as_list())
