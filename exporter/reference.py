"""The source, loaded in TensorFlow: what is converted, and what the ONNX must equal.

It runs in the child process; TensorFlow is imported when it is called.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.errors import ExportError, SourceError
from exporter.source import Source
from exporter.trust import check_source
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
        SourceError: the signature or the nodes are not there, or it holds code, or
            operators that are not taken.
        ExportError: TensorFlow cannot load or run it.
    """
    check_source(source)
    try:
        return _open(source)
    except NoSignature as ex:
        raise SourceError(f"{ex}; choose one with --signature") from ex
    except BackendError as ex:
        if source.kind != "frozen_graph" or source.bundle is not None:
            raise ExportError(str(ex)) from ex
        # Nobody but who named the nodes says that they are those of a model.
        has_nodes = source.inputs and source.outputs
        hint = "" if has_nodes else "; name them with --inputs and --outputs"
        raise SourceError(f"{ex}{hint}") from ex


@contextmanager
def _in_small_letters(path: Path) -> Iterator[Path]:
    """Keras tells its files by their extension, and knows no ``MODEL.H5``."""
    ending = path.suffix.lower()
    if path.suffix == ending:
        yield path
        return
    with TemporaryDirectory() as folder:
        # Not a link, which the walls around this process forbid.
        copy = Path(folder, path.stem + ending)
        shutil.copyfile(path, copy)
        yield copy


def _open(source: Source) -> TensorFlowBackend:
    if source.kind == "keras":
        from exporter.keras_file import load_keras

        with _in_small_letters(source.graph) as path:
            return TensorFlowBackend(load_keras(path), source.ranges)
    if source.kind == "saved_model":
        return SavedModelBackend(source.folder, source.signature, source.ranges)
    if source.bundle is not None:
        return open_tensorflow(source.bundle)
    from runtime.backends.frozen_graph import FrozenGraphBackend

    return FrozenGraphBackend(
        source.graph, source.inputs, source.outputs, ranges=source.ranges
    )
