"""Try attention, with masks of every kind."""

from __future__ import annotations

import keras

from tests.zoo.layers.recipe import On, Recipe, Takes, on

QUERY, VALUE, KEY = (5, 8), (6, 8), (6, 8)
FREE = (None, 8)


def _pair(layer, query, value):
    return layer(query, value)


def _scored(layer, query, value):
    return layer(query, value, return_attention_scores=True)


def _causal(layer, query, value):
    return layer(query, value, use_causal_mask=True)


def _self_causal(layer, x):
    return layer(x, x, use_causal_mask=True)


def _triple(layer, query, value, key):
    return layer(query, value, key)


def _with_mask(layer, query, value, mask):
    return layer(query, value, attention_mask=mask)


def _padded(layer, tokens):
    x = keras.layers.Embedding(4, 8, mask_zero=True)(tokens)
    return layer(x, x)


def _padded_causal(layer, tokens):
    x = keras.layers.Embedding(4, 8, mask_zero=True)(tokens)
    return layer(x, x, use_causal_mask=True)


def _listed(layer, *tensors):
    return layer(list(tensors))


def _listed_causal(layer, *tensors):
    return layer(list(tensors), use_causal_mask=True)


def _listed_scores(layer, *tensors):
    return layer(list(tensors), return_attention_scores=True)


def _listed_padded(layer, tokens):
    x = keras.layers.Embedding(4, 8, mask_zero=True)(tokens)
    return layer([x, x])


TOKENS = (Takes((6,), "int32", 0, 3),)
MASKED = (Takes(QUERY), Takes(VALUE), Takes((5, 6), "bool", 0, 1))


def _heads(**always) -> list[Recipe]:
    return [
        on(QUERY, VALUE, call=_pair, **always)(),
        on(QUERY, VALUE, KEY, call=_triple, **always)("key"),
        on(QUERY, VALUE, call=_scored, **always)("scores"),
        on(QUERY, VALUE, call=_causal, **always)("causal"),
        on(FREE, call=_self_causal, **always)("free length causal"),
        On(MASKED, _with_mask, always=always)("attention_mask"),
        On(TOKENS, _padded, always=always)("padded"),
        On(TOKENS, _padded_causal, always=always)("padded causal"),
        on(QUERY, VALUE, call=_pair, **always)("without bias", use_bias=False),
        on(QUERY, VALUE, call=_pair, **always)("plain", flash_attention=False),
    ]


def _single() -> list[Recipe]:
    return [
        on(QUERY, VALUE, call=_listed)(),
        on(QUERY, VALUE, KEY, call=_listed)("key"),
        on(QUERY, VALUE, call=_listed_causal)("causal"),
        on(QUERY, VALUE, call=_listed_scores)("scores"),
        on(FREE, FREE, call=_listed)("free length"),
        On(TOKENS, _listed_padded)("padded"),
    ]


RECIPES: dict[str, list[Recipe]] = {
    "AdditiveAttention": [
        *_single(),
        on(QUERY, VALUE, call=_listed)("no scale", use_scale=False),
    ],
    "Attention": [
        *_single(),
        on(QUERY, VALUE, call=_listed)("scale", use_scale=True),
        on(QUERY, VALUE, call=_listed)("concat", score_mode="concat"),
    ],
    "GroupQueryAttention": [
        *_heads(head_dim=3, num_query_heads=4, num_key_value_heads=2),
        on(QUERY, VALUE, call=_pair)(
            "one key head", head_dim=4, num_query_heads=2, num_key_value_heads=1
        ),
        on(QUERY, QUERY, call=_pair)(
            "sliding window",
            head_dim=4,
            num_query_heads=2,
            num_key_value_heads=1,
            sliding_window=2,
        ),
        on(QUERY, VALUE, call=_pair)(
            "gate", head_dim=4, num_query_heads=2, num_key_value_heads=1, use_gate=True
        ),
    ],
    "MultiHeadAttention": [
        *_heads(num_heads=2, key_dim=3),
        on(QUERY, VALUE, call=_pair)(
            "sizes", num_heads=2, key_dim=3, value_dim=5, output_shape=7
        ),
        on((3, 4, 8), (3, 4, 8), call=_pair)(
            "attention_axes", num_heads=2, key_dim=3, attention_axes=(2,)
        ),
        on((3, 4, 8), (3, 4, 8), call=_pair)(
            "both axes", num_heads=2, key_dim=3, attention_axes=(1, 2)
        ),
        on(QUERY, VALUE, call=_pair)("dropout", num_heads=2, key_dim=3, dropout=0.3),
    ],
}
