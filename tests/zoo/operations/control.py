"""Try functions that take a Python function: loops, branches, maps."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by

X = Takes((3, 4))
ROW = Takes((4,))
BATCH_FIRST = Takes((3,))


def _carried(carry, x):
    carry = carry * 0.5 + x
    return carry, ops.tanh(carry)


def _upstream(x):
    def grad(*args, upstream=None):
        return upstream * 2.0

    return ops.square(x), grad


RECIPES: dict[str, list[Recipe]] = {
    "associative_scan": [
        by(lambda op, x: op(lambda a, b: a + b, x, axis=1), X),
        by(lambda op, x: op(ops.maximum, x, axis=1, reverse=True), X, note="reverse"),
    ],
    "cond": [by(lambda op, x: op(ops.sum(x) > 0, lambda: x * 2.0, lambda: x - 1.0), X)],
    "custom_gradient": [by(lambda op, x: op(_upstream)(x), X)],
    "fori_loop": [
        by(lambda op, x: op(0, 5, lambda i, v: v * 0.9 + ops.cast(i, "float32"), x), X),
        by(
            lambda op, x: op(
                0, ops.shape(x)[0], lambda i, v: v + x[i], ops.zeros((4,))
            ),
            ROW,
            note="free",
        ),
    ],
    "jvp": [by(lambda op, x, t: op(lambda v: ops.sin(v) * v, (x,), (t,)), X, X)],
    "map": [
        by(lambda op, x: op(lambda row: ops.sum(row) * row, x), X),
        by(lambda op, x: op(lambda pair: pair[0] * pair[1], (x, x)), X, note="pairs"),
    ],
    "scan": [
        by(
            lambda op, x: op(_carried, ops.zeros_like(x[:, 0]), ops.swapaxes(x, 0, 1)),
            X,
        ),
        by(lambda op, x: op(_carried, ops.zeros((4,)), x), ROW, note="batch"),
        by(
            lambda op, x: op(_carried, ops.zeros((4,)), x, reverse=True),
            ROW,
            note="reverse",
        ),
    ],
    "switch": [
        by(
            lambda op, x: op(
                ops.cast(ops.sum(x) > 0, "int32"),
                [lambda v: v * 2.0, lambda v: v - 1.0, ops.sin],
                x,
            ),
            X,
        )
    ],
    "vectorize": [
        by(lambda op, x: op(lambda v: ops.sin(v) * 2.0)(x), X),
        by(
            lambda op, x, y: op(ops.dot, signature="(n),(n)->()")(x, y),
            ROW,
            ROW,
            note="signature",
        ),
    ],
    "vectorized_map": [by(lambda op, x: op(lambda row: ops.sum(row) * row, x), X)],
    "while_loop": [
        by(
            lambda op, x: op(
                lambda i, v: i < 4, lambda i, v: (i + 1, ops.tanh(v)), (0, x)
            ),
            X,
        ),
        by(
            lambda op, x: op(
                lambda v: ops.sum(ops.abs(v)) > 1.0,
                lambda v: (v * 0.5,),
                (x,),
                maximum_iterations=9,
            ),
            X,
            note="by value",
        ),
    ],
}
