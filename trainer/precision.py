"""Mixed precision: a twin of a model that computes in 16 bits.

The twin's weights are float32, and so is its last layer, whose scores must sum to 1.
The model that is measured and saved computes in float32.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import ArchitectureError
from trainer.settings import Precision

if TYPE_CHECKING:
    import keras

# The instructions of x86 and ARM that multiply matrices of bfloat16. Without them the
# numbers are converted back and forth, which is slower than float32.
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def machine_precision() -> Precision:
    """Return ``mixed`` where 16 bits are faster: on a GPU, and on newer processors."""
    return "mixed" if _has_gpu() or _processor_has_bfloat16() else "float32"


def twin_of(model: keras.Model, precision: Precision) -> keras.Model:
    """Make the model that is trained: a twin in 16 bits, or the model itself.

    Args:
        model: a functional or sequential model in float32.
        precision: the precision of the training.

    Raises:
        ArchitectureError: the model is of a class of its own, so it has no twin.
    """
    import keras

    if precision == "float32":
        return model
    policy = "mixed_float16" if _has_gpu() else "mixed_bfloat16"
    last = model.layers[-1]

    def clone(layer: Any) -> Any:
        settings = layer.get_config()
        if layer is not last and layer.dtype_policy.name == "float32":
            settings["dtype"] = policy
        return type(layer).from_config(settings)

    try:
        twin = keras.models.clone_model(model, clone_function=clone)
        twin.set_weights(model.get_weights())
    # Keras says in many ways that it cannot make a layer again.
    except Exception as ex:
        raise ArchitectureError(
            "this network cannot be trained with --precision mixed, because Keras"
            " cannot copy its layers; give --precision float32"
        ) from ex
    return twin


def scaled(
    optimizer: keras.optimizers.Optimizer, precision: Precision
) -> keras.optimizers.Optimizer:
    """Let an optimizer scale the loss where the numbers are float16.

    Small gradients would be 0 in float16. bfloat16 has the range of float32.
    """
    import keras

    if precision == "mixed" and _has_gpu():
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _processor_has_bfloat16() -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:  # not Linux
        return False
    # The line of x86 is "flags", and that of ARM is "Features".
    found = re.search(r"^(?:flags|Features)\s*:(.*)", text, re.MULTILINE)
    return found is not None and not _BFLOAT16.isdisjoint(found.group(1).split())
