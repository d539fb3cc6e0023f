"""Describe one model of the zoo, and the knowledge about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from exporter.proof.parity import BATCH_SIZES
from runtime.backends.saved_model import Signature

FAMILIES = ("layers", "activations", "operations", "applications", "networks", "graphs")


@dataclass(frozen=True)
class Specimen:
    """A model that is to be converted, or refused.

    Attributes:
        name: a name such as ``keras.layers.Dense``, unique in its family.
        family: one of ``FAMILIES``.
        make: builds the model, with weights that are not degenerate.
        ranges: the least and the greatest number of each input, by name.
        refused: a piece of the refusal; empty if the model converts.
        batch_sizes: the sizes of the proof's batches, if the first axis is free.
    """

    name: str
    family: str
    make: Callable[[], Signature]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    refused: str = ""
    batch_sizes: Sequence[int] = BATCH_SIZES


def further(specimens: Sequence[Specimen]) -> set[str]:
    """Return the names of models that are not the first of their layer or function.

    ``make zoo`` converts all models. The tests convert one model of each layer or
    function, which takes minutes less.
    """
    seen: set[str] = set()
    found = set()
    for specimen in specimens:
        base, _, _ = specimen.name.partition(" ")
        if base in seen:
            found.add(specimen.name)
        seen.add(base)
    return found


def signature_of(model: keras.Model) -> Signature:
    """Return the signature that a server runs for a Keras model, in inference mode.

    Inputs have the names of the model's tensors; outputs are ``output_0``,
    ``output_1``, … as ``keras.Model.export`` names them.
    """
    inputs = {tensor.name: tensor for tensor in model.inputs}

    def call(**given: Any) -> dict[str, Any]:
        # The inputs have the structure that the model was built with, because Keras
        # warns of another one.
        taken = keras.tree.map_structure(lambda t: given[t.name], model.input)
        answer = model(taken, training=False)
        return {
            f"output_{i}": tensor for i, tensor in enumerate(tf.nest.flatten(answer))
        }

    specs = {
        name: tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
        for name, tensor in inputs.items()
    }
    function = tf.function(call, autograph=False).get_concrete_function(**specs)
    # A concrete function does not keep its variables alive, but the model does.
    function.keep_alive = model
    return Signature(function, specs, function.structured_outputs)


def enliven(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give every weight a value that shows in the answers.

    Keras begins with zeros (biases, moving means) and ones (scales, variances), which a
    wrong conversion may mix up unseen, and with weights so small that a softmax over a
    thousand classes answers a thousand times the same.
    """
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if not np.issubdtype(np.dtype(weight.dtype), np.floating):
            continue
        shape = tuple(weight.shape)
        if len(shape) >= 2:
            fan_in = max(1, int(np.prod(shape[:-1])))
            value = generator.standard_normal(shape) * np.sqrt(2.0 / fan_in)
        elif "variance" in weight.path or "gamma" in weight.path:
            value = generator.uniform(0.5, 1.5, shape)
        else:
            value = generator.normal(0.0, 0.1, shape)
        weight.assign(value.astype(np.float32))
    return model
