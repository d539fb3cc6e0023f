"""Try functions that make, move, cut and join tensors."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by, on

X = Takes((3, 4))
SQUARE = Takes((4, 4))
ROW = Takes((6,))
WHOLE = Takes((3, 4), -9, 9, "int32")
FLAG = Takes((3, 4), 0, 1, "bool")
FREE = Takes((None, 4))


def _listed(op, *tensors):
    return op(list(tensors))


def _listed_last(op, *tensors):
    return op(list(tensors), axis=-1)


def _beside(*arguments, **options):
    """Return a recipe that uses a function without a tensor, beside an input."""
    return by(
        lambda op, x: ops.cast(op(*arguments, **options), "float32") + 0.0 * x[0, 0],
        Takes((1,)),
    )


def _sized(**options):
    """Return a recipe for a tensor that is as large as the input."""
    return by(lambda op, x: op(ops.shape(x), **options), X, note="as large")


def _item(key):
    return lambda op, x: op(x, key)


RECIPES: dict[str, list[Recipe]] = {
    "append": [on(X, X, axis=1), on(X, X, note="flat")],
    "arange": [
        _beside(3, 12, 2),
        by(lambda op, x: op(ops.shape(x)[0]), X, note="free"),
        by(
            lambda op, x: op(0.0, ops.cast(ops.shape(x)[0], "float32"), 0.5),
            X,
            note="free real",
        ),
    ],
    "array": [
        by(lambda op, x: op(x), X),
        by(lambda op, x: x + op([1.0, 2.0, 3.0, 4.0]), X, note="constant"),
    ],
    "array_split": [on(ROW, indices_or_sections=4, axis=1)],
    "bartlett": [by(lambda op, x: x * op(6), ROW)],
    "blackman": [by(lambda op, x: x * op(6), ROW)],
    "broadcast_to": [
        by(lambda op, x: op(x[:1], (5, 3, 4)), X),
        by(lambda op, x: op(x[:, :1], ops.shape(x)), X, note="free"),
    ],
    "concatenate": [
        by(_listed_last, X, X),
        by(_listed, X, X, note="batch"),
        by(_listed_last, WHOLE, WHOLE, note="int32"),
        by(_listed_last, X, WHOLE, note="mixed"),
        by(_listed_last, FLAG, FLAG, note="bool"),
    ],
    "convert_to_tensor": [
        by(lambda op, x: op(x), X),
        by(lambda op, x: op(x, dtype="int32"), X, note="int32"),
    ],
    "diag": [
        by(lambda op, x: op(x[0]), ROW),
        by(lambda op, x: op(x[0], k=1), ROW, note="k"),
        by(lambda op, x: op(x[0]), SQUARE, note="of a matrix"),
        by(lambda op, x: op(x[0], k=-1), SQUARE, note="below"),
    ],
    "diagflat": [
        by(lambda op, x: op(x[0]), X),
        by(lambda op, x: op(x[0], k=-1), X, note="k"),
    ],
    "diagonal": [
        on(SQUARE, axis1=1, axis2=2),
        on(X, axis1=1, axis2=2, offset=1, note="offset"),
        on(X, axis1=1, axis2=2, offset=-1, note="below"),
    ],
    "dsplit": [on(Takes((2, 6)), indices_or_sections=3)],
    "dstack": [by(_listed, X, X)],
    "empty": [_beside((2, 3))],
    "empty_like": [on(X)],
    "expand_dims": [on(X, axis=1), on(X, axis=(0, -1), note="axes")],
    "extract_sequences": [
        on(Takes((9,)), sequence_length=4, sequence_stride=2),
        on(Takes((None,)), sequence_length=4, sequence_stride=2, note="free"),
    ],
    "eye": [_beside(3, 4, 1), by(lambda op, x: op(ops.shape(x)[0]), X, note="free")],
    "flip": [
        on(X, axis=1),
        on(X, note="all"),
        on(FLAG, axis=1, note="bool"),
        on(WHOLE, axis=(1, 2), note="int32"),
    ],
    "fliplr": [on(X)],
    "flipud": [on(X)],
    "full": [_beside((2, 3), 1.5), _sized(fill_value=2)],
    "full_like": [on(X, fill_value=2), on(WHOLE, fill_value=3, note="int32")],
    "geomspace": [
        _beside(1.0, 100.0, 5),
        by(lambda op, x: op(ops.exp(x), 100.0, 5), ROW, note="of tensors"),
    ],
    "get_item": [
        by(_item((slice(None), 1)), X),
        by(_item((..., slice(3, None, -2))), X, note="backwards"),
        by(_item((slice(None), None, slice(1, 3))), X, note="new axis"),
        by(lambda op, x: op(x, x[:, 0] > 0), ROW, note="flags"),
        by(
            lambda op, x, i: op(x, i[0, 0]), X, Takes((2,), 0, 0, "int32"), note="index"
        ),
    ],
    "hamming": [by(lambda op, x: x * op(6), ROW)],
    "hanning": [by(lambda op, x: x * op(6), ROW)],
    "hsplit": [
        on(ROW, indices_or_sections=3),
        on(ROW, indices_or_sections=[1, 3], note="at"),
    ],
    "hstack": [by(_listed, X, X)],
    "identity": [_beside(3)],
    "kaiser": [by(lambda op, x: x * op(6, 4.0), ROW)],
    "linspace": [
        _beside(0.0, 2.0, 5),
        by(lambda op, x: op(x, 3.0, 5), ROW, note="of tensors"),
        by(lambda op, x: op(x, 3.0, 5, endpoint=False, axis=-1), ROW, note="open"),
    ],
    "logspace": [
        _beside(0.0, 2.0, 5),
        by(lambda op, x: op(x, 3.0, 5), ROW, note="of tensors"),
    ],
    "meshgrid": [
        by(lambda op, x: op(x[0], x[0]), ROW),
        by(lambda op, x: op(x[0], x[0], x[0], indexing="ij"), X, note="ij"),
    ],
    "moveaxis": [
        on(X, source=1, destination=2),
        on(X, source=0, destination=-1, note="batch"),
    ],
    "ndim": [by(lambda op, x: x * ops.cast(op(x), "float32"), X)],
    "ones": [_beside((2, 3)), _sized()],
    "ones_like": [on(X), on(WHOLE, note="int32"), on(FLAG, note="bool")],
    "pad": [
        on(X, pad_width=((0, 0), (1, 2), (0, 1))),
        on(X, pad_width=((0, 0), (1, 2), (2, 1)), mode="reflect", note="reflect"),
        on(X, pad_width=((0, 0), (1, 2), (2, 1)), mode="symmetric", note="symmetric"),
        on(X, pad_width=((0, 0), (1, 0), (0, 1)), constant_values=3.0, note="constant"),
        on(WHOLE, pad_width=((0, 0), (1, 2), (0, 1)), note="int32"),
        on(FLAG, pad_width=((0, 0), (1, 2), (0, 1)), note="bool"),
    ],
    "ravel": [on(X), on(FREE, note="free")],
    "rearrange": [
        by(lambda op, x: op(x, "b (h w) c -> b h (w c)", h=2), Takes((6, 3))),
        by(lambda op, x: op(x, "b h w -> b w h"), X, note="turned"),
    ],
    "repeat": [
        on(X, repeats=2, axis=1),
        on(X, repeats=[1, 0, 2], axis=1, note="each"),
        on(X, repeats=2, note="flat"),
    ],
    "reshape": [
        on(X, newshape=(-1, 2, 6)),
        by(lambda op, x: op(x, (ops.shape(x)[0], -1)), FREE, note="free"),
        on(FLAG, newshape=(-1, 12), note="bool"),
    ],
    "roll": [
        on(X, shift=1, axis=1),
        on(X, shift=2, note="flat"),
        on(X, shift=(1, 2), axis=(1, 2), note="axes"),
    ],
    "rot90": [
        on(X, axes=(1, 2)),
        on(X, axes=(1, 2), k=2, note="twice"),
        on(X, axes=(1, 2), k=-1, note="back"),
    ],
    "shape": [by(lambda op, x: ops.convert_to_tensor(op(x)), FREE)],
    "size": [on(X), on(FREE, note="free")],
    "slice": [
        by(lambda op, x: op(x, (0, 1, 1), (1, 2, 2)), X),
        by(lambda op, x: op(x, (0, 1, 1), (ops.shape(x)[0], 2, 2)), X, note="free"),
    ],
    "slice_update": [
        by(lambda op, x, u: op(x, (0, 1, 1), u[:1, :2, :2]), X, X),
        by(lambda op, x, u: op(x, (0, 0, 0), u), X, X, note="all"),
    ],
    "split": [
        on(ROW, indices_or_sections=3, axis=1),
        on(ROW, indices_or_sections=[1, 4], axis=1, note="at"),
    ],
    "squeeze": [
        by(lambda op, x: op(ops.mean(x, axis=0)), Takes((1, 4, 1))),
        on(Takes((1, 4, 1)), axis=1, note="axis"),
    ],
    "stack": [
        by(_listed, X, X),
        by(_listed_last, X, X, note="last"),
        by(_listed_last, FLAG, FLAG, note="bool"),
    ],
    "stop_gradient": [on(X)],
    "swapaxes": [on(X, axis1=1, axis2=2)],
    "take": [
        by(lambda op, x, i: op(x, i[0], axis=1), X, Takes((2,), 0, 2, "int32")),
        by(
            lambda op, x, i: op(x, i),
            Takes((4,)),
            Takes((2,), -2, 3, "int32"),
            note="flat",
        ),
        by(lambda op, x: op(x, [0, -1], axis=-1), X, note="constant"),
    ],
    "take_along_axis": [
        on(X, Takes((3, 2), 0, 3, "int32"), axis=2),
        on(X, Takes((2, 4), -3, 2, "int32"), axis=1, note="axis"),
    ],
    "tile": [
        on(X, repeats=(1, 2, 3)),
        on(X, repeats=2, note="last"),
        on(WHOLE, repeats=(1, 2, 1), note="int32"),
        on(FLAG, repeats=(1, 2, 1), note="bool"),
    ],
    "transpose": [on(X, axes=(0, 2, 1)), on(X, note="all")],
    "tri": [_beside(3, 4, 1)],
    "tril": [on(SQUARE), on(X, k=1, note="k"), on(WHOLE, note="int32")],
    "triu": [on(SQUARE), on(X, k=-1, note="k"), on(WHOLE, note="int32")],
    "unravel_index": [
        by(lambda op, i: op(i[:, 0], (3, 4)), Takes((2,), 0, 11, "int32"))
    ],
    "unstack": [on(X, axis=1)],
    "vsplit": [
        by(lambda op, x: op(ops.transpose(x), 3), ROW),
        by(lambda op, x: op(x[0], [1, 4]), Takes((6, 2)), note="at"),
    ],
    "vstack": [by(_listed, X, X)],
    "zeros": [_beside((2, 3)), _sized()],
    "zeros_like": [on(X), on(WHOLE, note="int32"), on(FLAG, note="bool")],
}
