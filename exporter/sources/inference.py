"""Write a Keras model as a SavedModel that answers as ``model.predict`` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def export_inference(model: Any, folder: Path) -> None:
    """Write a SavedModel that answers as ``model.predict`` does.

    ``model.export`` does not tell the layers that nothing is trained, and some layers
    of Keras then change pictures at random, as in training.

    Args:
        model: a built model of Keras 3.
        folder: the folder of the SavedModel.

    Raises:
        ValueError, TypeError: Keras cannot call the model in this way.
        tensorflow.errors.OpError: the folder cannot be written.
    """
    import keras

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = keras.tree.map_structure(
        lambda taken: keras.InputSpec(taken.dtype, taken.shape, name=taken.name),
        [model.inputs[0] if isinstance(model, keras.Sequential) else model.input],
    )

    def serve(*inputs: Any) -> Any:
        return model(*inputs, training=False)

    archive.add_endpoint("serve", serve, signature)
    archive.write_out(str(folder), verbose=False)
