"""Check the models of strangers before they run, as uploads are checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bundle.errors import BundleError
from exporter.errors import SourceError
from exporter.sources.source import Source
from runtime.programs import Damaged, check_frozen_graph, check_onnx, check_saved_model


def check_source(source: Source) -> None:
    """Check that a source only computes, unless it is trusted.

    A Keras file has no operators of TensorFlow; ``keras_file.py`` checks it.

    Raises:
        SourceError: it may do more than compute, or cannot be read.
    """
    if source.trusted or source.kind == "keras":
        return
    is_graph = source.kind == "frozen_graph"
    _look(check_frozen_graph if is_graph else check_saved_model, source.graph)


def check_candidate(source: Source, path: Path) -> None:
    """Check that the ONNX of a source only computes, unless the source is trusted.

    Raises:
        SourceError: it may do more than compute, or cannot be read.
    """
    if source.trusted:
        return
    _look(check_onnx, path)


def _look(check: Callable[[Path], None], path: Path) -> None:
    try:
        check(path)
    except Damaged as ex:
        raise SourceError(str(ex)) from ex
    except BundleError as ex:
        raise SourceError(
            f"{ex}; where you trust who made the model, add --trust"
        ) from ex
