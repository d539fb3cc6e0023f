"""Load the source in TensorFlow: it is converted, and the ONNX must equal it.

This runs in the child process. TensorFlow is imported only when it is called.
"""

from __future__ import annotations

from exporter.errors import ExportError, SourceError
from exporter.sources.source import Source
from exporter.sources.trust import check_source
from runtime.backends.opening import open_tensorflow
from runtime.backends.saved_model import (
    NoSignature,
    SavedModelBackend,
    TensorFlowBackend,
)
from runtime.errors import BackendError


def open_reference(source: Source) -> TensorFlowBackend:
    """Load a source.

    Raises:
        SourceError: the signature or the nodes are not there, or the model holds code
            or operators that are not allowed.
        ExportError: TensorFlow cannot load or run the source.
    """
    check_source(source)
    try:
        return _open(source)
    except NoSignature as ex:
        raise SourceError(str(ex)) from ex
    except BackendError as ex:
        if source.kind != "frozen_graph" or source.bundle is not None:
            raise ExportError(str(ex)) from ex
        # The user who named the nodes says that they belong to a model; nothing else
        # says so.
        has_nodes = source.inputs and source.outputs
        hint = "" if has_nodes else "; name them with --inputs and --outputs"
        raise SourceError(f"{ex}{hint}") from ex


def _open(source: Source) -> TensorFlowBackend:
    if source.kind == "keras":
        from exporter.sources.keras_file import load_keras

        return TensorFlowBackend(load_keras(source.graph), source.ranges)
    if source.kind == "saved_model":
        return SavedModelBackend(source.folder, source.signature, source.ranges)
    if source.bundle is not None:
        return open_tensorflow(source.bundle)
    from runtime.backends.frozen_graph import FrozenGraphBackend

    return FrozenGraphBackend(
        source.graph, source.inputs, source.outputs, ranges=source.ranges
    )
