"""MobileNetV2 as a bundle, with random weights: here only its speed matters.

``python -m bench.mobilenet FOLDER`` is a process of its own, because it imports
TensorFlow.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bundle.params import Params
from bundle.params_file import write_params

_SHAPE = (224, 224, 3)


def write(folder: Path) -> None:
    """Write the bundle, without ONNX."""
    import keras
    import numpy as np
    import tensorflow as tf

    from tests.zoo.applications import settle
    from tests.zoo.specimen import enliven

    keras.utils.set_random_seed(7)
    network = keras.applications.MobileNetV2(weights=None, input_shape=_SHAPE)
    # Without this, all thousand classes get nearly the same probability, and a wrong
    # answer does not show.
    settle(enliven(network), (-1.0, 1.0))
    image = keras.Input(_SHAPE, name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    model = keras.Model(image, network(scaled))

    def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": model(image, training=False)}

    signature = [tf.TensorSpec((None, *_SHAPE), tf.float32, "image")]
    serve = tf.function(answer, input_signature=signature)
    holder = tf.Module()
    holder.variables_ = model.variables
    tf.saved_model.save(holder, str(folder), signatures={"serving_default": serve})
    (folder / "labels.txt").write_text(
        "".join(f"class {number}\n" for number in np.arange(1000))
    )
    write_params(
        folder,
        Params(
            name="mobilenet",
            labels="labels.txt",
            input_node="image",
            output_node="scores",
            img_channels=3,
            description="keras.applications.MobileNetV2 with drawn weights",
        ),
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]))
