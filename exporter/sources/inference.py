"""Write a Keras model as a SavedModel that answers as ``model.predict`` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    with _no_other_signatures(keras.Model):
        archive.write_out(str(folder), verbose=False)


@contextmanager
def _no_other_signatures(model_class: Any) -> Iterator[None]:
    """Keep Keras from making signatures that it throws away.

    Keras 3.15 looks for lookup tables in all attributes of a model. One of them is a
    signature, which is made anew at each look, for the model and for each model in it,
    and as in training. This takes several times as long as everything else.
    """
    model_class._default_save_signature = None
    try:
        yield
    finally:
        # The class has inherited its own from a private one.
        del model_class._default_save_signature
