"""Layers and functions of Keras 2 that Keras 3 does not have, for inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

_registered = keras.saving.register_keras_serializable(package="tfaas")


@_registered  # type: ignore[untyped-decorator]
def hard_sigmoid(x: Any) -> Any:
    """Keras 2's function; Keras 3's is another one, ``relu6(x + 3) / 6``."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


@_registered
class ThresholdedReLU(keras.layers.Layer):  # type: ignore[misc]
    """Answers the numbers above ``theta``, and 0 for the others."""

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = float(theta)

    def call(self, x: Any) -> Any:
        """Keras calls this with the input ``x``."""
        return x * ops.cast(x > self.theta, x.dtype)


@_registered
class LayerScale(keras.layers.Layer):  # type: ignore[misc]
    """ConvNeXt's factor for each channel; Keras 3's own layer is not public."""

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gamma = self.add_weight(shape=(int(projection_dim),), name="gamma")

    def call(self, x: Any) -> Any:
        """Keras calls this with the input ``x``."""
        return x * self.gamma


class _LocallyConnected(keras.layers.Layer):  # type: ignore[misc]
    """A convolution with another kernel at each place; channels last.

    The kernel is ``(places, values of one patch, filters)``, as in Keras 2 if
    ``implementation`` is 1. Keras 2's two other forms hold the same numbers.
    """

    axes = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int],
        strides: Sequence[int],
        use_bias: bool = True,
        activation: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = int(filters)
        self.size = tuple(int(n) for n in kernel_size)
        self.steps = tuple(int(n) for n in strides)
        self.use_bias = bool(use_bias)
        self.activation = activation or keras.activations.linear

    def build(self, shape: Sequence[int]) -> None:
        """Keras calls this with the shape of the input, whose lengths must be known."""
        self.places = tuple(
            (length - size) // step + 1
            for length, size, step in zip(
                shape[1:-1], self.size, self.steps, strict=True
            )
        )
        values = shape[-1]
        count = 1
        for size, place in zip(self.size, self.places, strict=True):
            values, count = values * size, count * place
        self.kernel = self.add_weight(
            shape=(count, values, self.filters), name="kernel"
        )
        if self.use_bias:
            self.bias = self.add_weight(shape=(*self.places, self.filters), name="bias")

    def call(self, x: Any) -> Any:
        """Keras calls this with the input ``x``, ``(N, *sides, channels)``."""
        if self.axes == 1:
            x = ops.expand_dims(x, 1)
        size = (1, *self.size)[-2:]
        steps = (1, *self.steps)[-2:]
        patches = ops.image.extract_patches(x, size, steps, padding="valid")
        count, values, _ = self.kernel.shape
        patches = ops.reshape(patches, (-1, count, values))
        answer = ops.einsum("bpv,pvf->bpf", patches, self.kernel)
        answer = ops.reshape(answer, (-1, *self.places, self.filters))
        return self.activation(answer + self.bias if self.use_bias else answer)


@_registered
class LocallyConnected1D(_LocallyConnected):
    """See ``_LocallyConnected``."""


@_registered
class LocallyConnected2D(_LocallyConnected):
    """See ``_LocallyConnected``."""

    axes = 2


@_registered
class TimeMajor(keras.layers.Layer):  # type: ignore[misc]
    """A recurrent layer whose input and output have the time first, then the batch.

    Args:
        layer: the recurrent layer, with the batch first.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer

    def call(self, x: Any) -> Any:
        """Keras calls this with the input ``x``, ``(T, N, features)``."""
        answers = self.layer(ops.swapaxes(x, 0, 1))
        if not self.layer.return_sequences:
            return answers
        if not self.layer.return_state:
            return ops.swapaxes(answers, 0, 1)
        sequence, *states = answers
        return [ops.swapaxes(sequence, 0, 1), *states]
