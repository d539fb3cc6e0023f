"""Functions of TensorFlow that a model of Keras 2 calls between its layers.

``x / 127.5 - 1`` or ``tf.concat([x, y], -1)`` became layers that name a function of
TensorFlow. Only functions that compute from tensors alone are accepted: no files, no
Python, no random numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import keras
import tensorflow as tf

from exporter.keras2.errors import Untranslatable

# All functions of these modules of TensorFlow compute from tensors alone.
_MODULE = re.compile(r"(compat\.v1\.)?(__operators__|math|nn|linalg|signal)\.[a-z]\w*")
# These functions of other modules do so, too.
_FUNCTIONS = frozenset(
    [
        "abs",
        "acos",
        "add",
        "add_n",
        "argmax",
        "argmin",
        "argsort",
        "asin",
        "atan",
        "atan2",
        "batch_to_space",
        "boolean_mask",
        "broadcast_to",
        "cast",
        "ceil",
        "clip_by_norm",
        "clip_by_value",
        "complex",
        "concat",
        "convert_to_tensor",
        "cos",
        "cosh",
        "cumsum",
        "divide",
        "dtypes.cast",
        "einsum",
        "equal",
        "exp",
        "expand_dims",
        "eye",
        "fill",
        "floor",
        "gather",
        "gather_nd",
        "greater",
        "greater_equal",
        "identity",
        "less",
        "less_equal",
        "linspace",
        "logical_and",
        "logical_not",
        "logical_or",
        "matmul",
        "maximum",
        "meshgrid",
        "minimum",
        "multiply",
        "negative",
        "norm",
        "not_equal",
        "one_hot",
        "ones",
        "ones_like",
        "pad",
        "pow",
        "range",
        "rank",
        "realdiv",
        "reduce_all",
        "reduce_any",
        "reduce_logsumexp",
        "reduce_max",
        "reduce_mean",
        "reduce_min",
        "reduce_prod",
        "reduce_sum",
        "repeat",
        "reshape",
        "reverse",
        "reverse_sequence",
        "roll",
        "round",
        "searchsorted",
        "sequence_mask",
        "shape",
        "sigmoid",
        "sign",
        "sin",
        "sinh",
        "size",
        "slice",
        "sort",
        "space_to_batch",
        "split",
        "sqrt",
        "square",
        "squeeze",
        "stack",
        "stop_gradient",
        "strided_slice",
        "subtract",
        "tan",
        "tanh",
        "tensor_scatter_nd_update",
        "tensordot",
        "tile",
        "transpose",
        "truediv",
        "unstack",
        "where",
        "zeros",
        "zeros_like",
        "image.adjust_brightness",
        "image.adjust_contrast",
        "image.adjust_gamma",
        "image.adjust_hue",
        "image.adjust_saturation",
        "image.central_crop",
        "image.convert_image_dtype",
        "image.crop_and_resize",
        "image.crop_to_bounding_box",
        "image.extract_patches",
        "image.flip_left_right",
        "image.flip_up_down",
        "image.grayscale_to_rgb",
        "image.hsv_to_rgb",
        "image.pad_to_bounding_box",
        "image.per_image_standardization",
        "image.resize",
        "image.resize_with_crop_or_pad",
        "image.resize_with_pad",
        "image.rgb_to_grayscale",
        "image.rgb_to_hsv",
        "image.rot90",
        "image.transpose",
    ]
)
# These functions draw numbers, take operators, or may run without end.
_NOT_TAKEN = re.compile(r"dropout|random|fractional|sampled|candidate|sampler|_loop")


@dataclass(frozen=True)
class Slot:
    """Stands for a tensor in the arguments of a call.

    Attributes:
        index: the number of the tensor among those that the call takes.
    """

    index: int


def function_of(name: str) -> Callable[..., Any]:
    """The function that a layer names.

    Raises:
        Untranslatable: the function is not one of the accepted ones.
    """
    plain = name.removeprefix("compat.v1.")
    if not (_MODULE.fullmatch(name) or plain in _FUNCTIONS) or _NOT_TAKEN.search(name):
        raise Untranslatable(f"it calls tf.{name[:64]}")
    found: Any = tf
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, FunctionType):
        raise Untranslatable(f"it calls tf.{name[:64]}")
    return found


def index(tensor: Any, slice_spec: Any) -> Any:
    """Return ``tensor[slice_spec]``."""
    return tensor[_slices(slice_spec)]


def _slices(spec: Any) -> Any:
    if isinstance(spec, list | tuple):
        return tuple(_slices(part) for part in spec)
    if isinstance(spec, dict):
        if spec.get("class_name") == "__ellipsis__":
            return ...
        return slice(*(_slices(spec[key]) for key in ("start", "stop", "step")))
    return spec


@keras.saving.register_keras_serializable(package="tfaas")
class Operator(keras.layers.Layer):  # type: ignore[misc]
    """One call of a function.

    Args:
        function: the function to call.
        args: its arguments, with a ``Slot`` in the place of each tensor.
        kwargs: its named arguments, in the same form.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        name: str,
    ) -> None:
        super().__init__(name=name, autocast=False)
        self._function = function
        # A plain attribute would not do, because Keras replaces lists by lists of its
        # own.
        self._arguments = lambda: (args, kwargs)

    def call(self, tensors: Sequence[Any]) -> Any:
        """Keras calls this with the tensors that the slots stand for."""

        def filled(value: Any) -> Any:
            if isinstance(value, Slot):
                return tensors[value.index]
            if isinstance(value, list | tuple):
                return type(value)(filled(part) for part in value)
            if isinstance(value, dict):
                return {key: filled(part) for key, part in value.items()}
            return value

        args, kwargs = self._arguments()  # type: ignore[no-untyped-call]
        return self._function(*filled(list(args)), **filled(kwargs))
