"""Turn one layer of Keras 2 into the layer of Keras 3 that answers the same.

Only inference counts. The settings for the first weights and for penalties are left
out.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import keras

from exporter.keras2 import former
from exporter.keras2.errors import NotOfKeras, Untranslatable

# The module of a class or function of Keras 2, in each of the names that Keras 2 has
# had.
_MODULE = re.compile(
    r"((tf_keras|keras|tensorflow\.(python\.)?keras)(\.\w+)*|builtins)"
)
# Settings for training, speed or files; none of them changes an answer.
_TRAINING = re.compile(
    r".*_(initializer|regularizer|constraint)|init|rng_type|implementation"
    r"|unit_forget_bias|batch_input_shape|input_dtype|input_length|time_major|fused"
    r"|renorm.*|virtual_batch_size|adjustment|synchronized|autocast"
    r"|experimental_\w+|build_config|build_input_shape|query_shape|key_shape"
    r"|value_shape|softmax_robust_masking|optional|force_generator|seed"
)
# These layers have the setting ``groups`` but only one group; Keras 3 has no such
# setting for them.
_ONE_GROUP = re.compile(r"(Depthwise|Separable)Conv\dD|Conv\dDTranspose")
_ALIASES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "GRUV2": "GRU",
    "LSTMV2": "LSTM",
    "GRUCellV2": "GRUCell",
    "LSTMCellV2": "LSTMCell",
    "BaseDepthwiseConv2D": "DepthwiseConv2D",
}
_FORMER = {
    "LayerScale": former.LayerScale,
    "ThresholdedReLU": former.ThresholdedReLU,
    "LocallyConnected1D": former.LocallyConnected1D,
    "LocallyConnected2D": former.LocallyConnected2D,
}
# Layers of Keras 2 for which Keras 3 has no layer that answers the same.
_FORMER_ALONE = frozenset(
    """
    Wrapper DenseFeatures CuDNNGRU CuDNNLSTM TensorFlowOpLayer ClassMethod
    InstanceMethod InstanceProperty AbstractRNNCell PeepholeLSTMCell
    """.split()  # noqa: SIM905
)
# These layers return their input in inference.
_NOTHING = frozenset({"RandomHeight", "RandomWidth", "AddLoss", "AddMetric"})
# Another layer takes the place of these; it does not have their training behaviour.
STOOD_FOR = _NOTHING | {"RandomCrop"}
# These layers of Keras 3 share a name with Keras 2 but are different, or they run code.
_NOT_TAKEN = frozenset(
    {"Lambda", "Layer", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer"}
)
_RECURRENT = frozenset(
    {"RNN", "SimpleRNN", "GRU", "LSTM", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
)
_ACTIVATIONS = {
    **{
        name: getattr(keras.activations, name)
        for name in [
            "elu",
            "exponential",
            "gelu",
            "leaky_relu",
            "linear",
            "log_softmax",
            "mish",
            "relu",
            "relu6",
            "selu",
            "sigmoid",
            "silu",
            "softmax",
            "softplus",
            "softsign",
            "tanh",
        ]
    },
    "hard_sigmoid": former.hard_sigmoid,
    "swish": keras.activations.silu,
}
# The settings that hold another layer.
_INNER = ("layer", "backward_layer", "cell", "cells")
# Settings of Keras 3 that name a file, or hold a list of words.
_WORDS = ("vocabulary", "idf_weights")

Item = Mapping[str, Any]


def class_name_of(item: Any) -> str:
    """The class of a layer, if it is Keras's own.

    Raises:
        NotOfKeras: the class is not Keras's own.
        Untranslatable: the item is no description of a layer.
    """
    if not isinstance(item, dict) or not isinstance(item.get("class_name"), str):
        raise Untranslatable("its description is damaged")
    name: str = item["class_name"]
    module, registered = item.get("module"), item.get("registered_name")
    is_ours = module is None or (
        isinstance(module, str) and _MODULE.fullmatch(module) is not None
    )
    if (
        not is_ours
        or ">" in name
        or (isinstance(registered, str) and ">" in registered)
    ):
        raise NotOfKeras(name.rpartition(">")[2])
    return name


def layer_of(item: Item, model_of: Callable[[Item], Any], name: str = "") -> Any:
    """Make the layer.

    Args:
        item: ``class_name`` and ``config``, as Keras 2 wrote them.
        model_of: makes a model that stands in the place of a layer.
        name: the name for the layer; empty keeps its own.

    Raises:
        Untranslatable: Keras 3 has no such layer, or none with these settings.
    """
    kind = class_name_of(item)
    kind = _ALIASES.get(kind, kind)
    if kind in ("Model", "Functional", "Sequential"):
        return model_of(item)
    given = item.get("config")
    if not isinstance(given, dict):
        raise Untranslatable("its description is damaged")
    settings = {
        key: _value(key, value, model_of)
        for key, value in given.items()
        if not _TRAINING.fullmatch(key)
    }
    settings["name"] = name or plain_name(str(given.get("name", kind)))
    if kind in _NOTHING:
        return keras.layers.Identity(name=settings["name"], dtype=settings.get("dtype"))
    make = _FORMER.get(kind) or _class(kind)
    if kind == "RandomCrop":
        # In inference RandomCrop draws no numbers, and does the same as this layer.
        kind, make = "Resizing", keras.layers.Resizing
        settings["crop_to_aspect_ratio"] = True
    _adapt(kind, settings, given)
    if settings.get("dtype", "") is None:
        del settings["dtype"]
    try:
        layer = make(**settings)
    except (TypeError, ValueError, AttributeError) as ex:
        reason = str(ex).splitlines()[0][:160] if str(ex) else type(ex).__name__
        raise Untranslatable(
            f"Keras 3 does not take its layer {kind}: {reason}"
        ) from ex
    if kind in _RECURRENT and given.get("time_major"):
        return former.TimeMajor(layer)
    return layer


def plain_name(name: str) -> str:
    """A name that Keras 3 accepts."""
    return name.replace("/", "_") or "layer"


def _class(kind: str) -> Any:
    found = getattr(keras.layers, kind, None)
    is_layer = inspect.isclass(found) and issubclass(found, keras.layers.Layer)
    if kind in _FORMER_ALONE | _NOT_TAKEN:
        raise Untranslatable(f"Keras 3 has no layer {kind}")
    if not is_layer:
        raise NotOfKeras(kind)
    return found


def _value(key: str, value: Any, model_of: Callable[[Item], Any]) -> Any:
    if key in _INNER and value is not None:
        if isinstance(value, list):
            return [layer_of(inner, model_of) for inner in value]
        return layer_of(value, model_of)
    if key == "dtype":
        return dtype_of(value)
    if key.endswith("activation"):
        return _activation(value, model_of)
    if key in _WORDS and isinstance(value, str):
        raise Untranslatable("its words are in another file")
    return _plain(value)


def _plain(value: Any) -> Any:
    """Numbers, texts and lists of them; descriptions of objects are refused."""
    if isinstance(value, dict):
        # Keras 2.0 to 2.2 wrote numbers of numpy in this form.
        if set(value) == {"type", "value"}:
            return _plain(value["value"])
        raise Untranslatable("a setting of it is an object")
    return [_plain(part) for part in value] if isinstance(value, list) else value


def dtype_of(value: Any) -> str | None:
    """The name of a dtype or a policy; None is Keras's default."""
    if isinstance(value, dict):
        inner = value.get("config")
        value = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(value, str) or value.startswith(("infer", "_infer")):
        return None
    return value


def _activation(value: Any, model_of: Callable[[Item], Any]) -> Any:
    name: Any = value
    if isinstance(value, dict):
        name = value.get("config")
        if not isinstance(name, str):
            return layer_of(value, model_of)
        class_name_of(value)
    if name is None:
        return None
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise NotOfKeras(str(name).rpartition(">")[2])
    return _ACTIVATIONS[name]


def _adapt(kind: str, settings: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Change the settings to the ones of Keras 3."""
    if _ONE_GROUP.fullmatch(kind) and settings.pop("groups", 1) != 1:
        raise Untranslatable(f"Keras 3 has no groups in {kind}")
    if kind.startswith("Random"):
        settings.pop("value_range", None)
        settings["seed"] = 0
        if kind in ("RandomBrightness", "RandomContrast"):
            settings["value_range"] = given.get("value_range", (0, 255))
    match kind:
        case "LeakyReLU":
            if "alpha" in settings:
                settings["negative_slope"] = settings.pop("alpha")
        case "BatchNormalization":
            axis = settings.get("axis", -1)
            axis = axis[0] if isinstance(axis, list) else axis
            # Virtual batches had an axis of their own, and the axis was counted with
            # it.
            settings["axis"] = axis - 1 if given.get("virtual_batch_size") else axis
        case "GRU" | "GRUCell":
            # Keras before 2.2 had neither this setting nor the behaviour that it
            # switches on.
            settings.setdefault("reset_after", False)
        case "Attention" | "AdditiveAttention":
            settings.pop("causal", None)
        case "LocallyConnected1D" | "LocallyConnected2D":
            _adapt_local(kind, settings, given)
        case "Discretization":
            settings.pop("trainable", None)
            # Keras 2 meant the dtype of the answers; Keras 3 would cast the inputs to
            # it.
            settings.pop("dtype", None)
        case "SpatialDropout1D" | "SpatialDropout2D" | "SpatialDropout3D":
            settings.pop("trainable", None)
            settings.pop("noise_shape", None)
        case "ActivityRegularization":
            settings.update(l1=0.0, l2=0.0)


def _adapt_local(kind: str, settings: dict[str, Any], given: Mapping[str, Any]) -> None:
    is_last = settings.pop("data_format", None) in (None, "channels_last")
    if not is_last or settings.pop("padding", "valid") != "valid":
        raise Untranslatable(f"{kind} needs channels last and no padding here")
    if given.get("implementation", 1) != 1:
        raise Untranslatable(f"{kind} needs implementation 1 here")
