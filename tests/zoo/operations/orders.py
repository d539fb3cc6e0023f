"""Try functions that sort, find, count and place numbers."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by, on

X = Takes((3, 4))
ROW = Takes((6,))
WHOLE = Takes((3, 4), -9, 9, "int32")
LONG = Takes((3, 4), -9, 9, "int64")
SEGMENT = Takes((), 0, 3, "int32")
FLAG = Takes((3, 4), 0, 1, "bool")
EDGES = [-1.5, -0.5, 0.1, 1.2]
# No two numbers are equal with this added, because Keras may take any of two equal
# ones.
RAMP = [0.1, 0.5, -0.2, 0.3, 0.7, -0.4]
SMALL = Takes((5,), 0, 3, "int32")


def _found(op, x):
    return op(ops.round(x))


def _segmented(whole=WHOLE):
    return [
        by(lambda op, x, s: op(x, s, num_segments=5), X, SEGMENT),
        by(lambda op, x, s: op(x, s, num_segments=5), whole, SEGMENT, note="int32"),
        by(lambda op, x, s: op(x, ops.sort(s), sorted=True), X, SEGMENT, note="sorted"),
        by(lambda op, x, s: op(x, s * 0), X, SEGMENT, note="untold"),
    ]


def _searched(side):
    return lambda op, x: op(ops.convert_to_tensor(EDGES), x, side=side)


def _searched_in_rows(op, edges, x):
    return op(ops.sort(edges), x)


def _scattered(op, indices, values):
    return op(indices[:, None], values, (8, 4))


def _updated(reduction):
    return lambda op, x, u: op(
        x, ops.convert_to_tensor([[0, 2], [0, 1]]), u[0, :2], reduction=reduction
    )


def _first(op, x):
    """Return the third least number, because the order of the others is free."""
    return ops.take_along_axis(x, op(x, 2)[..., 2:3], axis=-1)


RECIPES: dict[str, list[Recipe]] = {
    "argpartition": [
        by(lambda op, x: _first(op, ops.mean(x, axis=0) + RAMP), ROW),
        by(
            lambda op, x: ops.sort(op(ops.mean(x, axis=0) + RAMP, 2)[..., :2]),
            ROW,
            note="chosen",
        ),
    ],
    "argsort": [
        on(X),
        on(X, axis=1, note="axis"),
        on(WHOLE, note="int32"),
        by(_found, X, note="ties"),
        on(X, axis=None, note="flat"),
    ],
    "bincount": [
        by(lambda op, x: op(x, minlength=5), SMALL),
        by(lambda op, x: op(x[0], minlength=5), SMALL, note="one row"),
        by(lambda op, x, w: op(x, w, minlength=5), SMALL, Takes((5,)), note="weights"),
    ],
    "digitize": [
        by(lambda op, x: op(x, EDGES), X),
        by(lambda op, x: op(x, [-3, 0, 2]), WHOLE, note="int32"),
    ],
    "histogram": [
        by(lambda op, x: op(x[0], bins=4, range=(-2, 2)), ROW),
        by(lambda op, x: op(x[0], bins=4), ROW, note="own range"),
    ],
    "isin": [
        by(lambda op, x: op(x, ops.convert_to_tensor([1, 3, -2])), WHOLE),
        by(
            lambda op, x: op(
                ops.round(x), ops.convert_to_tensor([1.0, 0.0]), invert=True
            ),
            X,
            note="invert",
        ),
    ],
    "nonzero": [by(_found, X), on(WHOLE, note="int32"), on(FLAG, note="bool")],
    "scatter": [by(_scattered, Takes((), 0, 7, "int32"), Takes((4,)))],
    "scatter_update": [
        by(_updated(way), X, X, note=way or "")
        for way in (None, "add", "max", "min", "mul")
    ],
    "searchsorted": [
        by(_searched("left"), ROW),
        by(_searched("right"), ROW, note="right"),
        by(lambda op, x, y: op(ops.sort(x[0]), y[0]), ROW, ROW, note="both"),
    ],
    "segment_max": _segmented(),
    "segment_min": _segmented(),
    # Products of 32 rows and more stay in int32 with these numbers.
    "segment_prod": _segmented(Takes((3, 4), -1, 1, "int32")),
    "segment_sum": _segmented(),
    "select": [by(lambda op, x, y: op([x > 1.0, y > 0.0], [x, y], default=9.0), X, X)],
    "sort": [
        on(X),
        on(X, axis=1, note="axis"),
        on(WHOLE, note="int32"),
        on(LONG, note="int64"),
    ],
    "top_k": [
        on(X, k=2),
        on(WHOLE, k=3, note="int32"),
        by(lambda op, x: op(ops.round(x), 3), X, note="ties"),
    ],
    "unique": [
        by(_found, ROW),
        by(
            lambda op, x: op(
                ops.round(x), return_index=True, return_inverse=True, return_counts=True
            ),
            ROW,
            note="all",
        ),
        by(lambda op, x: op(ops.round(x), axis=0), Takes((2,)), note="rows"),
        by(lambda op, x: op(ops.round(x), size=4, fill_value=7.0), ROW, note="size"),
        by(lambda op, x: op(ops.round(x), sorted=False), ROW, note="unsorted"),
    ],
    "vander": [
        by(lambda op, x: op(x[0]), ROW),
        by(lambda op, x: op(x[0], N=3, increasing=True), ROW, note="increasing"),
    ],
}
