"""The network for tables: a perceptron whose preparation of the columns is inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.tables.column import Column
from trainer.tables.dataset import ROW, TableSet

if TYPE_CHECKING:
    import keras

_UNITS = 128
_LAYERS = 3
# With a tenth, twenty epochs learn 40,000 rows by heart.
_DROPOUT = 0.3
# More places would tell no more about a category.
_MAX_PLACES = 16


def build_mlp(data: TableSet, width: float = 1.0) -> keras.Model:
    """Build a perceptron that takes raw rows.

    Its first layers centre numbers at the median of the training rows, which therefore
    stands for a missing number, scale them, bring far ones nearer, and give each text a
    few trained numbers. All texts that are no category have one place together.
    A regression's last layer brings the answer to the scale of the labels.

    Args:
        data: the table; its ``columns`` tell the median, the spread and the categories.
        width: the factor of the number of units of each layer.

    Returns:
        The model, not compiled. It has one input ``row`` ``(N, F)`` float32, or one
        ``(N, 1)`` for each feature, and gives ``(N, K)`` scores or ``(N, 1)`` numbers.
    """
    import keras
    from keras import layers

    inputs = _inputs(data.columns)
    parts = _prepared(data.columns, inputs)
    x = layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    for _ in range(_LAYERS):
        x = layers.Dense(max(1, round(_UNITS * width)), activation="relu")(x)
        x = layers.Dropout(_DROPOUT)(x)
    if data.task == "classes":
        outputs = layers.Dense(len(data.labels), activation="softmax")(x)
    else:
        scale, offset = data.label_scale
        outputs = layers.Rescaling(scale, offset)(layers.Dense(1)(x))
    given = next(iter(inputs.values())) if len(inputs) == 1 else inputs
    return keras.Model(given, outputs)


def _inputs(columns: tuple[Column, ...]) -> dict[str, Any]:
    import keras

    if not any(column.is_text for column in columns):
        return {ROW: keras.Input((len(columns),), name=ROW)}
    return {
        column.input_name: keras.Input(
            (1,),
            name=column.input_name,
            dtype="string" if column.is_text else "float32",
        )
        for column in columns
    }


def _prepared(columns: tuple[Column, ...], inputs: dict[str, Any]) -> list[Any]:
    """Return the parts ``(N, …)`` float32 of what the first dense layer takes."""
    from keras import layers, ops

    numbers = [column for column in columns if not column.is_text]
    parts = []
    if numbers:
        row = inputs.get(ROW)
        if row is None:
            several = [inputs[column.input_name] for column in numbers]
            row = layers.Concatenate()(several) if len(several) > 1 else several[0]
        parts = _of_numbers(numbers, row)
    for column in columns:
        if column.is_text:
            words = [str(word) for word in column.categories or ()]
            places = layers.StringLookup(vocabulary=words)(inputs[column.input_name])
            # The first place is that of all texts that are no category.
            embedding = layers.Embedding(
                len(words) + 1,
                min(len(words), _MAX_PLACES),
                embeddings_initializer="zeros",
            )(places)
            parts.append(ops.squeeze(embedding, axis=1))
    return parts


def _of_numbers(columns: list[Column], row: Any) -> list[Any]:
    """Prepare the numbers ``(N, F)`` of some columns."""
    from keras import layers, ops

    middles = np.array([column.middle for column in columns], np.float32)
    spreads = np.array([column.spread for column in columns], np.float32)
    # The middle goes first, because a product of large numbers would be rounded before
    # they are subtracted. Keras's Normalization takes lifetimes in seconds for
    # constants: it divides by no number below 1e-7.
    centred = layers.Rescaling(1.0, (-middles).tolist())(row)
    scaled = layers.Rescaling((1 / spreads).tolist())(centred)
    is_missing = ops.isnan(scaled)
    # Momenta and masses have long tails, which would drown all else.
    near = ops.arcsinh(ops.where(is_missing, 0.0, scaled))
    plain = [n for n, column in enumerate(columns) if column.categories is None]
    parts = [_taken(near, plain, len(columns))] if plain else []
    lacking = [n for n, column in enumerate(columns) if column.may_lack]
    if lacking:
        parts.append(_taken(ops.cast(is_missing, "float32"), lacking, len(columns)))
    for place, column in enumerate(columns):
        if column.categories is not None:
            known = np.array([column.categories], np.float32)
            same = ops.equal(row[:, place : place + 1], known)
            parts.append(ops.cast(same, "float32"))
    return parts


def _taken(values: Any, places: list[int], count: int) -> Any:
    from keras import ops

    return values if len(places) == count else ops.take(values, places, axis=1)
