"""Try functions that make fewer numbers out of many."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by, on

X = Takes((3, 4))
ROW = Takes((6,))
ODD = Takes((5,))
WHOLE = Takes((3, 4), -9, 9, "int32")
LONG = Takes((3, 4), -9, 9, "int64")
COUNTS = Takes((3, 4), 1, 4, "int32")
FLAG = Takes((3, 4), 0, 1, "bool")
FREE = Takes((None, 4))


def _gapped(op, x):
    """Make some numbers NaN, in each row another one."""
    return op(ops.where(x > 1.0, float("nan"), x), axis=-1)


def _gapped_all(op, x):
    return op(ops.where(x > 1.0, float("nan"), x))


def _gapped_known(q=None):
    """Return such a function without a free axis, which Keras does not take here."""

    def body(op, x):
        x = ops.mean(x, axis=0)
        gapped = ops.where(x > ops.mean(x) + 0.5, float("nan"), x)
        return op(gapped, axis=-1) if q is None else op(gapped, q, axis=-1)

    return body


def _reduced(*others):
    return [
        on(X, axis=-1),
        on(X, axis=(1, 2), keepdims=True, note="axes"),
        on(X, note="all"),
        on(FREE, axis=1, note="free"),
        on(WHOLE, axis=-1, note="int32"),
        *others,
    ]


def _quantiles(*, ways=("linear", "lower", "higher", "midpoint", "nearest"), q=0.3):
    return [on(ROW, q=q, axis=-1, method=way, note=way) for way in ways]


RECIPES: dict[str, list[Recipe]] = {
    "all": [on(FLAG, axis=-1), on(FLAG, note="all"), on(WHOLE, axis=-1, note="int32")],
    "allclose": [by(lambda op, x, y: op(ops.round(x), ops.round(y)), ODD, ODD)],
    "amax": _reduced(),
    "amin": _reduced(),
    "any": [on(FLAG, axis=-1), on(FLAG, note="all"), on(WHOLE, axis=-1, note="int32")],
    "argmax": [
        on(X, axis=-1),
        on(X, note="all"),
        on(X, axis=1, keepdims=True, note="keepdims"),
        on(WHOLE, axis=-1, note="int32"),
    ],
    "argmin": [
        on(X, axis=-1),
        on(X, note="all"),
        on(X, axis=1, keepdims=True, note="keepdims"),
        on(WHOLE, axis=-1, note="int32"),
    ],
    "average": [
        on(X, axis=-1),
        by(
            lambda op, x: ops.reshape(
                op(x, axis=-1, weights=[1.0, 2.0, 3.0, 4.0]), (-1, 3)
            ),
            X,
            note="weights",
        ),
        on(X, note="all"),
    ],
    "corrcoef": [
        by(
            lambda op, x: op(
                ops.mean(x, axis=0) + ops.sin(ops.reshape(ops.arange(12.0), (3, 4)))
            ),
            X,
        )
    ],
    "count_nonzero": [
        by(lambda op, x: op(ops.round(x), axis=-1), X),
        on(WHOLE, axis=1, note="int32"),
        on(FLAG, note="all"),
    ],
    "cumprod": [on(X, axis=1), on(X, note="flat"), on(COUNTS, axis=1, note="int32")],
    "cumsum": [
        on(X, axis=1),
        on(X, note="flat"),
        on(WHOLE, axis=1, note="int32"),
        on(X, axis=0, note="batch"),
    ],
    "diff": [on(ROW), on(X, n=2, axis=1, note="twice"), on(FLAG, note="bool")],
    "logsumexp": [
        on(X, axis=-1),
        on(X, note="all"),
        on(X, axis=1, keepdims=True, note="keepdims"),
    ],
    "max": [
        *_reduced(
            on(X, axis=1, initial=0.5, note="initial"), on(LONG, axis=-1, note="int64")
        )
    ],
    "mean": _reduced(),
    "median": [
        on(ROW, axis=-1),
        on(ODD, axis=-1, note="odd"),
        on(X, note="all"),
        on(X, axis=(1, 2), keepdims=True, note="axes"),
    ],
    "min": [
        *_reduced(
            on(X, axis=1, initial=0.5, note="initial"), on(LONG, axis=-1, note="int64")
        )
    ],
    "nanargmax": [by(_gapped, X)],
    "nanargmin": [by(_gapped, X)],
    "nancumprod": [by(_gapped, X)],
    "nancumsum": [by(_gapped, X)],
    "nanmax": [by(_gapped, X), by(_gapped_all, X, note="all")],
    "nanmean": [by(_gapped, X), by(_gapped_all, X, note="all")],
    "nanmedian": [by(_gapped_known(), X), by(_gapped_all, X, note="all")],
    "nanmin": [by(_gapped, X), by(_gapped_all, X, note="all")],
    "nanpercentile": [by(_gapped_known(30.0), X)],
    "nanprod": [by(_gapped, X)],
    "nanquantile": [
        by(_gapped_known(0.3), X),
        by(_gapped_known([0.25, 0.5]), X, note="several"),
    ],
    "nanstd": [by(_gapped, X)],
    "nansum": [by(_gapped, X)],
    "nanvar": [by(_gapped, X)],
    "percentile": _quantiles(q=30.0),
    "prod": _reduced(),
    "ptp": [on(X, axis=-1), on(WHOLE, axis=1, note="int32")],
    "quantile": [
        *_quantiles(),
        on(X, q=[0.2, 0.5], axis=1, note="several"),
        on(X, q=0.5, keepdims=True, note="all"),
    ],
    "std": _reduced(),
    "sum": _reduced(
        on(LONG, axis=-1, note="int64"),
        on(FLAG, axis=-1, note="bool"),
        on(Takes((4,), 0, 255, "uint8"), axis=-1, note="uint8"),
    ),
    "trace": [
        on(Takes((4, 4)), axis1=1, axis2=2),
        on(X, axis1=1, axis2=2, offset=1, note="offset"),
    ],
    "trapezoid": [
        on(ROW),
        by(lambda op, y: op(y, x=[0.0, 1.0, 3.0, 4.0, 6.0, 7.0]), ROW, note="at"),
        on(X, dx=0.5, axis=1, note="axis"),
    ],
    "var": _reduced(),
}
