"""Files of models that are no bundle yet: their endings, and their kinds."""

from __future__ import annotations

from pathlib import Path

from bundle.folder import SAVED_MODEL, is_graph_def

KERAS = (".keras", ".h5", ".hdf5")
# A SavedModel's graph, or a frozen graph.
GRAPH = ".pb"
ONNX_ENDING = ".onnx"

# A bundle keeps the model's own file under this name, for further training.
KERAS_MODEL = "model.keras"

ENDINGS = (*KERAS, GRAPH, ONNX_ENDING)


def is_saved_model(graph: Path) -> bool:
    """Tell whether a ``.pb`` file is a SavedModel's graph, and no frozen graph.

    Raises:
        OSError: it cannot be read.
    """
    if graph.name != SAVED_MODEL:
        return False
    # A frozen graph may be called so, too, but it has no variables.
    return (graph.parent / "variables").is_dir() or not is_graph_def(graph)
