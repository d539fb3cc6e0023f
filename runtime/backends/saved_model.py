"""A SavedModel in TensorFlow, and the base of all backends in TensorFlow.

In the service, only this package imports TensorFlow; see ARCHITECTURE.md.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.folder import SAVED_MODEL, SIGNATURE
from runtime.backends import InputRefused, TensorSpec
from runtime.backends.randomness import DRAWS, IN_INFERENCE_MODE, drawn_by
from runtime.backends.session_config import apply_session_config
from runtime.backends.tensors import check_inputs
from runtime.backends.warming import Ranges, warm_up
from runtime.errors import BackendError
from runtime.process.garbage import uncollected

# This must be set before the import, or TensorFlow writes a page to standard error.
# Somebody who wants the page sets the variable before.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


# TensorFlow looks for Keras 2, and not for Keras 3, if this variable is set.
_LEGACY = "TF_USE_LEGACY_KERAS"
# TensorFlow Serving asks for this tag.
_SERVING = "serve"
# Keras 2 gave its optimizers this name in SavedModels.
_OPTIMIZER = "optimizer"
# These words mean that no input is to blame: an operator has no kernel here.
_OF_MACHINE = re.compile(r"OpKernel|Cannot assign a device|not registered")
# These words mean that shapes do not fit together, whatever the numbers are.
_OF_SHAPES = re.compile(
    r"Input to reshape|size-incompatible|Incompatible shapes|ConcatOp : Dim"
    r"|required broadcastable shapes|evenly divisible by filter depth"
)


@dataclass(frozen=True)
class Signature:
    """A TensorFlow function of named tensors, which the exporter converts.

    Attributes:
        call: the function; it takes each input by name, and returns each output by
            name.
        inputs: the inputs by name, each with TensorFlow's ``shape`` and ``dtype``.
        outputs: the outputs, in the same form.
    """

    call: Callable[..., Mapping[str, Any]]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


class TensorFlowBackend:
    """One signature, run by TensorFlow.

    Args:
        signature: the signature that is run.
        ranges: the ranges from which inputs are warmed; see ``warm_up``.

    Attributes:
        warning: a sentence that people should know about its answers; empty if none.

    Raises:
        BackendError: TensorFlow cannot run it, or one of its tensors has no rank.
    """

    name = "tensorflow"

    def __init__(self, signature: Signature, ranges: Ranges | None = None) -> None:
        tensorflow = import_tensorflow()
        self.signature = signature
        self._constant = tensorflow.constant
        self.device = "gpu" if tensorflow.config.list_physical_devices("GPU") else "cpu"
        self.inputs = _specs(signature.inputs)
        self.outputs = _specs(signature.outputs)
        # These are the errors that an input may be to blame for.
        errors = tensorflow.errors
        self._refusals = (
            errors.InvalidArgumentError,
            errors.OutOfRangeError,
            errors.DataLossError,
        )
        warm_up(self, ranges)
        drawn = drawn_by(signature.call)
        self.warning = f"{DRAWS} ({drawn}); {IN_INFERENCE_MODE}" if drawn else ""

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
        """Tell whether the model refuses this input or cannot run here at all."""
        sentence = "TensorFlow failed on this input"
        if not isinstance(ex, self._refusals) or _OF_MACHINE.search(str(ex)):
            return BackendError(sentence)
        return InputRefused(
            f"the model does not take these values: {sentence}",
            is_of_shapes=bool(_OF_SHAPES.search(str(ex))),
        )


class SavedModelBackend(TensorFlowBackend):
    """One signature of a SavedModel, called as a concrete function.

    Args:
        path: the SavedModel's folder.
        name: the signature's name.
        ranges: the ranges from which inputs are warmed; see ``warm_up``.

    Raises:
        NoSignature: the SavedModel has no signature of this name.
        BackendError: TensorFlow is not installed, or cannot load or run the model.
    """

    def __init__(
        self, path: Path, name: str = SIGNATURE, ranges: Ranges | None = None
    ) -> None:
        super().__init__(load_signature(path, name), ranges)


class NoSignature(BackendError):
    """A SavedModel has no signature of the wanted name."""


def load_signature(path: Path, name: str = SIGNATURE) -> Signature:
    """Load a signature of a SavedModel, of TensorFlow 2 or 1.

    Raises:
        NoSignature: the SavedModel has no signature of this name; the sentence lists
            those it has.
        BackendError: TensorFlow is not installed, or cannot load the model.
    """
    loaded = _load(import_tensorflow(), path)
    if name not in loaded.signatures:
        raise NoSignature(
            f"{SAVED_MODEL} has no signature {name!r}; it has"
            f" {', '.join(sorted(loaded.signatures)) or 'none'}; choose one with:"
            " runtime models push FOLDER --signature NAME, or exporter convert FOLDER"
            " --signature NAME"
        )
    function = loaded.signatures[name]
    # The signature does not keep its variables alive; what was loaded does.
    function.keep_alive = loaded
    return Signature(
        function, function.structured_input_signature[1], function.structured_outputs
    )


def _load(tensorflow: Any, path: Path) -> Any:
    """Load every SavedModel that TensorFlow Serving loads.

    TensorFlow 2 makes the saved Python objects again, and does not know all of them:
    other optimizers, other types, several graphs in one file. Its loader for
    TensorFlow 1, like TensorFlow Serving, reads the graph and the variables alone. This
    second loader is not tried first, because it also loads parts that only training
    needs, and keeps variables until the process ends.
    """
    _know_optimizers(tensorflow)
    try:
        return tensorflow.saved_model.load(str(path))
    except Exception as ex:
        first = ex
    from tensorflow.python.saved_model import load_v1_in_v2

    try:
        return load_v1_in_v2.load(str(path), _served_tags(path))
    except BackendError:
        raise
    except Exception:
        raise BackendError(f"TensorFlow cannot load {SAVED_MODEL}") from first


def _know_optimizers(tensorflow: Any) -> None:
    """Let the optimizers of TensorFlow 2.0 to 2.10 be loaded, as objects without slots.

    A SavedModel that was written after ``fit`` holds its optimizer. TensorFlow 2.11 and
    later make slots only where Keras 2 is installed, and fail without it. Only training
    needs slots: they are not loaded, which saves more than half of the memory.
    """
    types = tensorflow.__internal__.saved_model.load
    if _OPTIMIZER in types.registered_identifiers():
        return
    trackable = tensorflow.__internal__.tracking.AutoTrackable

    class Optimizer(trackable):  # type: ignore[misc, valid-type]
        def add_slot(self, var: Any, slot_name: str) -> Any:
            return trackable()

        def _create_or_restore_slot_variable(self, **slot: Any) -> None:
            """Do nothing; TensorFlow calls this when it restores a checkpoint."""

    types.register_revived_type(
        _OPTIMIZER,
        lambda _: False,
        versions=[
            types.VersionedTypeRegistration(
                object_factory=lambda _: Optimizer(),
                version=2,
                min_producer_version=1,
                min_consumer_version=1,
            )
        ],
    )


def _served_tags(path: Path) -> list[str] | None:
    """Return the tags of the graph for serving; None if there is only one graph.

    Raises:
        BackendError: there are several graphs, and none is for serving.
    """
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    graphs = parse_saved_model(str(path)).meta_graphs
    if len(graphs) == 1:
        return None
    tags = [sorted(graph.meta_info_def.tags) for graph in graphs]
    serving = [some for some in tags if _SERVING in some]
    if not serving:
        raise BackendError(
            f"{SAVED_MODEL} has {len(tags)} graphs, and none is for serving: their tags"
            f" are {'; '.join(' '.join(some) or 'none' for some in tags)}; write it"
            f" with a graph that is tagged {_SERVING!r}"
        )
    # Further tags name the device of a graph; the plain graph runs on any device.
    return min(serving, key=lambda some: ("tpu" in some, len(some), some))


def import_tensorflow() -> Any:
    """Import and configure TensorFlow when a model first needs it.

    Raises:
        BackendError: it is not installed, or ``configProto`` does not suit it.
    """
    require_tensorflow()
    tensorflow = load_tensorflow()
    apply_session_config(tensorflow)
    return tensorflow


def load_tensorflow() -> Any:
    """Import TensorFlow without Keras, which saves a fifth of the time, and 50 MB.

    TensorFlow 2.21 imports Keras, and with it matplotlib, for the types that Keras 2
    registered for SavedModels. Keras 3 registers none. This variable tells TensorFlow
    that Keras 2 is wanted. TensorFlow then looks for Keras 2, and goes on without it.
    """
    if "tensorflow" in sys.modules or _LEGACY in os.environ or find_spec("tf_keras"):
        import tensorflow

        return tensorflow
    os.environ[_LEGACY] = "1"
    try:
        with uncollected():
            import tensorflow
    finally:
        # ``tf.keras``, and processes that this one starts, must not see the variable.
        del os.environ[_LEGACY]
    # TensorFlow notes None as the folder of a missing Keras 2.
    tensorflow.__path__ = [place for place in tensorflow.__path__ if place]
    return tensorflow


def require_tensorflow() -> None:
    """Check that TensorFlow could be imported, without importing it.

    Raises:
        BackendError: it is not installed.
    """
    if find_spec("tensorflow") is None:
        raise BackendError(
            "TensorFlow is not installed here; install the extra 'tensorflow'"
            " (docs/installing.md)"
        )


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
