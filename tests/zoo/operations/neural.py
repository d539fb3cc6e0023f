"""Try activations, convolutions, pooling, normalization and losses."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by, on

X = Takes((3, 4))
# Each row has one number, because four of a sigmoid may sum to one without being
# probabilities.
FAR = Takes((3, 1), -15.0, 15.0)
LINE = Takes((8, 3))
PLANE = Takes((7, 8, 3))
VOLUME = Takes((5, 6, 5, 2))
SHARES = Takes((5,), 0.05, 0.95)
CLASSES = Takes((), 0, 4, "int32")
HEADS = Takes((4, 2, 6))


def _weights(*shape):
    """Return float32 numbers of a shape without a pattern, the same at each call."""
    size = 1
    for side in shape:
        size *= side
    return ops.reshape(ops.sin(ops.arange(size, dtype="float32") * 1.7), shape)


def _convolved(shape, **options):
    return lambda op, x: op(x, _weights(*shape), **options)


def _separable(op, x):
    return op(x, _weights(3, 3, 3, 2), _weights(1, 1, 6, 4))


def _activated(**options):
    return [on(X, **options), on(FAR, note="far", **options)]


def _share(x):
    return x / ops.sum(x, axis=-1, keepdims=True)


def _attended(**options):
    return lambda op, query, key, value: op(query, key, value, **options)


def _masked(op, query, key, value, mask):
    return op(query, key, value, mask=mask)


def _biased(op, query, key, value, bias):
    return op(query, key, value, bias=bias)


def _ctc(op, target, output):
    batch = ops.shape(target)[0]
    return op(
        target,
        output,
        ops.full((batch,), 3, dtype="int32"),
        ops.full((batch,), 9, dtype="int32"),
        mask_index=0,
    )


def _decoded(strategy):
    def body(op, inputs):
        lengths = ops.full((ops.shape(inputs)[0],), 6, dtype="int32")
        return op(
            inputs,
            lengths,
            strategy=strategy,
            beam_width=4,
            top_paths=2 if strategy == "beam_search" else 1,
        )

    return body


def _normalized(op, x):
    return op(
        x,
        _weights(4),
        ops.abs(_weights(4)) + 0.5,
        axis=-1,
        offset=_weights(4),
        scale=_weights(4),
    )


PADDED = {"padding": "same"}
LAST = "channels_last"

RECIPES: dict[str, list[Recipe]] = {
    "adaptive_average_pool": [
        on(LINE, output_size=3, data_format=LAST),
        on(PLANE, output_size=(3, 3), data_format=LAST, note="2D"),
        on(VOLUME, output_size=(2, 3, 2), data_format=LAST, note="3D"),
    ],
    "adaptive_max_pool": [
        on(LINE, output_size=3, data_format=LAST),
        on(PLANE, output_size=(3, 3), data_format=LAST, note="2D"),
        on(VOLUME, output_size=(2, 3, 2), data_format=LAST, note="3D"),
    ],
    "average_pool": [
        on(LINE, pool_size=2),
        on(PLANE, pool_size=2, note="2D"),
        on(PLANE, pool_size=3, strides=2, note="same", **PADDED),
        on(VOLUME, pool_size=2, note="3D"),
    ],
    "batch_normalization": [by(_normalized, X)],
    "binary_crossentropy": [
        on(SHARES, SHARES),
        on(SHARES, X_LOGITS := Takes((5,)), from_logits=True, note="logits"),
    ],
    "categorical_crossentropy": [
        on(SHARES, SHARES),
        on(SHARES, X_LOGITS, from_logits=True, note="logits"),
    ],
    "celu": _activated(),
    "conv": [
        by(_convolved((3, 3, 4)), LINE),
        by(_convolved((3, 3, 3, 4), strides=2, padding="same"), PLANE, note="2D"),
        by(_convolved((3, 3, 3, 4), dilation_rate=2), PLANE, note="dilated"),
        by(_convolved((3, 3, 1, 6)), PLANE, note="grouped"),
        by(_convolved((2, 2, 2, 2, 3), padding="same"), VOLUME, note="3D"),
    ],
    "conv_transpose": [
        by(_convolved((3, 4, 3), strides=2), LINE),
        by(_convolved((3, 3, 4, 3), strides=2, padding="same"), PLANE, note="2D"),
        by(_convolved((2, 2, 2, 3, 2), strides=2), VOLUME, note="3D"),
    ],
    "ctc_decode": [
        by(_decoded("greedy"), Takes((6, 5), -2, 2)),
        by(
            _decoded("beam_search"),
            Takes((6, 5), -2, 2),
            note="beam",
            refused="CTCBeamSearchDecoder",
        ),
    ],
    "ctc_loss": [by(_ctc, Takes((3,), 1, 4, "int32"), Takes((9, 5)))],
    "depth_to_space": [on(Takes((3, 4, 8)), block_size=2)],
    "depthwise_conv": [
        by(_convolved((3, 3, 2)), LINE),
        by(_convolved((3, 3, 3, 2), padding="same"), PLANE, note="2D"),
        by(_convolved((3, 3, 3, 1), strides=2), PLANE, note="strides"),
        by(_convolved((3, 3, 3, 1), dilation_rate=2), PLANE, note="dilated"),
    ],
    "dot_product_attention": [
        by(_attended(), HEADS, HEADS, HEADS),
        by(_attended(is_causal=True), HEADS, HEADS, HEADS, note="causal"),
        by(_masked, HEADS, HEADS, HEADS, Takes((2, 4, 4), 0, 1, "bool"), note="mask"),
        by(_biased, HEADS, HEADS, HEADS, Takes((2, 4, 4)), note="bias"),
    ],
    "elu": _activated(),
    "fold": [
        on(Takes((8, 9)), output_size=(4, 4), kernel_size=2),
        on(Takes((8, 4)), output_size=(4, 4), kernel_size=2, stride=2, note="stride"),
    ],
    "gelu": [*_activated(), on(X, approximate=False, note="exact")],
    "glu": [on(X), on(Takes((4, 3)), axis=1, note="axis")],
    "hard_shrink": _activated(),
    "hard_sigmoid": _activated(),
    "hard_silu": _activated(),
    "hard_swish": _activated(),
    "hard_tanh": _activated(),
    "in_top_k": [on(CLASSES, Takes((5,)), k=2)],
    "layer_normalization": [
        on(X),
        by(
            lambda op, x: op(x, _weights(4), _weights(4), epsilon=1e-3),
            X,
            note="scaled",
        ),
        on(Takes((4, 3)), axis=1, note="axis"),
    ],
    "leaky_relu": _activated(),
    "log_sigmoid": _activated(),
    "log_softmax": [
        on(X),
        on(X, axis=1, note="axis"),
        on(Takes((4,), -30.0, 30.0), note="far"),
    ],
    "max_pool": [
        on(LINE, pool_size=2),
        on(PLANE, pool_size=2, note="2D"),
        on(PLANE, pool_size=3, strides=2, note="same", **PADDED),
        on(VOLUME, pool_size=2, note="3D"),
    ],
    "moments": [on(X, axes=[1]), on(X, axes=[0], keepdims=True, note="batch")],
    "multi_hot": [on(Takes((3,), 0, 4, "int32"), num_classes=5)],
    "normalize": [
        on(X),
        on(X, axis=1, order=1, note="order 1"),
        on(X, order=3, note="order 3"),
    ],
    "one_hot": [
        on(CLASSES, num_classes=5),
        on(Takes((3,), -1, 5, "int32"), num_classes=5, note="outside"),
        on(
            Takes((3,), 0, 4, "int32"),
            num_classes=5,
            axis=1,
            dtype="int32",
            note="axis",
        ),
    ],
    "psnr": [on(SHARES, SHARES, max_val=1.0)],
    "relu": [*_activated(), on(Takes((4,), -5, 5, "int32"), note="int32")],
    "relu6": _activated(),
    "rms_normalization": [
        on(X),
        by(lambda op, x: op(x, _weights(4)), X, note="scaled"),
    ],
    "selu": _activated(),
    "separable_conv": [by(_separable, PLANE)],
    "sigmoid": _activated(),
    "silu": _activated(),
    "soft_shrink": _activated(),
    "softmax": [
        on(X),
        on(X, axis=1, note="axis"),
        by(lambda op, x: op(ops.mean(x, axis=0), axis=(0, 1)), X, note="axes"),
        on(Takes((4,), -30.0, 30.0), note="far"),
    ],
    "softplus": _activated(),
    "softsign": _activated(),
    "space_to_depth": [on(Takes((4, 6, 3)), block_size=2)],
    "sparse_categorical_crossentropy": [
        by(lambda op, y, p: op(y, _share(p)), CLASSES, SHARES),
        on(CLASSES, X_LOGITS, from_logits=True, note="logits"),
    ],
    "sparse_plus": _activated(),
    "sparse_sigmoid": _activated(),
    "sparsemax": [on(X), on(X, axis=1, note="axis")],
    "squareplus": _activated(),
    "swish": _activated(),
    "tanh_shrink": _activated(),
    "threshold": [on(X, threshold=0.5, default_value=-1.0)],
    "unfold": [
        by(lambda op, x: op(ops.mean(x, axis=0, keepdims=True), 2), Takes((3, 5, 5))),
        by(
            lambda op, x: op(
                ops.mean(x, axis=0, keepdims=True), 3, padding=1, stride=2
            ),
            Takes((3, 5, 5)),
            note="padded",
        ),
    ],
}
