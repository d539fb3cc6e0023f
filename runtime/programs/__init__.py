"""A check of everything that an uploaded model would run, before any of it runs.

A SavedModel and a frozen graph are programs: TensorFlow has operators that read and
write files, call Python and open connections. ONNX has none, except operators of
registered domains, and weights in other files. Both formats are read here without
TensorFlow and onnx, by whole copies of their messages' definitions.
"""

from __future__ import annotations

from pathlib import Path

from bundle.folder import SAVED_MODEL, Bundle
from bundle.variants import VARIANTS, onnx_file
from runtime.programs.graph import check_frozen_graph, check_graph, operators
from runtime.programs.onnx_model import check_model, check_onnx
from runtime.programs.onnx_pb2 import ModelProto
from runtime.programs.reading import Damaged
from runtime.programs.saved_model import check_meta_graph, check_saved_model
from runtime.programs.tensorflow_pb2 import GraphDef, MetaGraphDef

__all__ = [
    "Damaged",
    "check_frozen_graph",
    "check_onnx",
    "check_programs",
    "check_saved_model",
    "prepare",
]


def prepare() -> None:
    """Prepare the parts that all models share: some 20 ms, once in a process."""
    operators()
    check_graph(GraphDef(), "")
    check_meta_graph(MetaGraphDef(), "")
    check_model(ModelProto(), Path(), trusted=False)


def check_programs(bundle: Bundle, *, trusted: bool) -> None:
    """Check everything that a bundle could make an engine run.

    Args:
        bundle: the opened bundle.
        trusted: whether every operator is allowed; files must be the bundle's own in
            any case.

    Raises:
        BundleError: an operator is not allowed, a file cannot be read, or an ONNX has
            weights elsewhere.
    """
    if bundle.tensorflow_model and not trusted:
        if bundle.has_saved_model:
            check_saved_model(bundle.path / SAVED_MODEL)
        else:
            check_frozen_graph(bundle.tensorflow_model)
    for variant in VARIANTS:
        path = bundle.path / onnx_file(variant)
        if path.exists():
            check_onnx(path, trusted=trusted)
