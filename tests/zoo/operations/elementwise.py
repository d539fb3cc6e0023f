"""Try functions of each number by itself, or of two numbers."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by, on

X = Takes((3, 4))
Y = Takes((4,))
POSITIVE = Takes((3, 4), 0.1, 3.0)
UNIT = Takes((3, 4), -0.95, 0.95)
SMALL = Takes((3, 4), -0.4, 0.4)
WHOLE = Takes((3, 4), -9, 9, "int32")
LONG = Takes((3, 4), -9, 9, "int64")
COUNTS = Takes((3, 4), 1, 12, "int32")
SHIFT = Takes((3, 4), 0, 5, "int32")
BYTES = Takes((3, 4), 0, 255, "uint8")
FLAG = Takes((3, 4), 0, 1, "bool")


def _with_gaps(x):
    """Put NaN and both infinities among the numbers."""
    x = ops.where(x > 1.5, float("inf"), x)
    x = ops.where(x < -1.5, float("-inf"), x)
    return ops.where(ops.abs(x) < 0.3, float("nan"), x)


def _gaps(op, x):
    return op(_with_gaps(x))


def _rounded(op, x, y):
    """Round both, so that some numbers are equal."""
    return op(ops.round(x), ops.round(y))


def _divided(op, x, y):
    return op(x, ops.where(y == 0, 3, y))


def _known(op, *tensors):
    """Use the first item alone, without a free axis, which Keras does not take here."""
    return op(*(tensor[0] for tensor in tensors))


def _one(name_free=None, *, whole=True, long=False):
    recipes = [on(name_free or X)]
    if whole:
        recipes.append(on(WHOLE, note="int32"))
    if long:
        recipes.append(on(LONG, note="int64"))
    return recipes


def _two(*, whole=True, long=False):
    recipes = [on(X, X), on(X, Y, note="broadcast")]
    if whole:
        recipes.append(on(WHOLE, WHOLE, note="int32"))
    if long:
        recipes.append(on(LONG, LONG, note="int64"))
    return recipes


def _compared():
    return [
        by(_rounded, X, X),
        on(WHOLE, WHOLE, note="int32"),
        on(LONG, LONG, note="int64"),
        on(BYTES, BYTES, note="uint8"),
    ]


def _bits():
    return [
        on(WHOLE, WHOLE),
        on(BYTES, BYTES, note="uint8"),
        on(LONG, LONG, note="int64"),
    ]


RECIPES: dict[str, list[Recipe]] = {
    "abs": _one(long=True),
    "absolute": _one(),
    "add": _two(long=True),
    "angle": _one(),
    "arccos": [on(UNIT)],
    "arccosh": [on(Takes((3, 4), 1.1, 9.0))],
    "arcsin": [on(UNIT)],
    "arcsinh": _one(),
    "arctan": _one(),
    "arctan2": [*_two(whole=False), by(_rounded, X, X, note="axes")],
    "arctanh": [on(UNIT)],
    "bitwise_and": _bits(),
    "bitwise_invert": [on(WHOLE), on(BYTES, note="uint8")],
    "bitwise_left_shift": [on(WHOLE, SHIFT)],
    "bitwise_not": [on(WHOLE)],
    "bitwise_or": _bits(),
    "bitwise_right_shift": [on(WHOLE, SHIFT)],
    "bitwise_xor": _bits(),
    "cast": [
        on(X, dtype="int32"),
        on(X, dtype="bool", note="to bool"),
        on(WHOLE, dtype="float32", note="from int32"),
        on(Takes((4,), 0, 255), dtype="uint8", note="to uint8"),
        by(lambda op, x: op(op(x, "float16"), "float32"), X, note="through float16"),
        by(lambda op, x: op(op(x, "bfloat16"), "float32"), X, note="through bfloat16"),
        by(lambda op, x: op(op(x, "float64"), "float32"), X, note="through float64"),
    ],
    "cbrt": _one(whole=False),
    "ceil": _one(),
    "clip": [on(X, x_min=-0.5, x_max=0.7), on(WHOLE, x_min=-2, x_max=3, note="int32")],
    "conj": _one(),
    "conjugate": _one(),
    "copy": _one(),
    "cos": _one(),
    "cosh": _one(),
    "deg2rad": _one(),
    "divide": [on(X, POSITIVE), on(WHOLE, COUNTS, note="int32")],
    "divide_no_nan": [by(_rounded, X, X), on(WHOLE, WHOLE, note="int32")],
    "equal": _compared(),
    "erf": _one(whole=False),
    "erfc": _one(whole=False),
    "erfinv": [on(UNIT), on(Takes((4,), -1, 1), note="to the ends")],
    "exp": _one(),
    "exp2": _one(),
    "expm1": [*_one(), on(Takes((4,), -1e-3, 1e-3), note="near 0")],
    "fabs": _one(),
    "floor": _one(),
    "floor_divide": [on(X, POSITIVE), by(_divided, WHOLE, WHOLE, note="int32")],
    "fmax": [by(lambda op, x, y: op(_with_gaps(x), y), X, X)],
    "fmin": [by(lambda op, x, y: op(_with_gaps(x), y), X, X)],
    "fmod": [on(X, POSITIVE), by(_divided, WHOLE, WHOLE, note="int32")],
    "gcd": [by(_known, WHOLE, WHOLE), by(_known, LONG, LONG, note="int64")],
    "greater": _compared(),
    "greater_equal": _compared(),
    "heaviside": [by(_rounded, X, X)],
    "hypot": _two(),
    "i0": [on(X), on(Takes((4,), -20.0, 20.0), note="far")],
    "imag": _one(),
    "isclose": [by(_rounded, X, X), by(_rounded, X, X, note="of NaN")],
    "isfinite": [by(_gaps, X), by(_known, WHOLE, note="int32")],
    "isinf": [by(_gaps, X), by(_known, WHOLE, note="int32")],
    "isnan": [by(_gaps, X), by(_known, WHOLE, note="int32")],
    "isneginf": [by(_gaps, X)],
    "isposinf": [by(_gaps, X)],
    "isreal": [by(_gaps, X)],
    "lcm": [by(_known, WHOLE, WHOLE), by(_known, LONG, LONG, note="int64")],
    "ldexp": [on(X, SHIFT)],
    "left_shift": [on(WHOLE, SHIFT)],
    "less": _compared(),
    "less_equal": _compared(),
    "log": [on(POSITIVE), on(COUNTS, note="int32")],
    "log10": [on(POSITIVE), on(COUNTS, note="int32")],
    "log1p": [on(POSITIVE), on(Takes((4,), -1e-3, 1e-3), note="near 0")],
    "log2": [on(POSITIVE), on(COUNTS, note="int32")],
    "logaddexp": _two(),
    "logaddexp2": _two(),
    "logical_and": [on(FLAG, FLAG), by(_rounded, X, X, note="float32")],
    "logical_not": [on(FLAG), on(WHOLE, note="int32")],
    "logical_or": [on(FLAG, FLAG), by(_rounded, X, X, note="float32")],
    "logical_xor": [on(FLAG, FLAG), by(_rounded, X, X, note="float32")],
    "maximum": _two(long=True),
    "minimum": _two(long=True),
    "mod": [on(X, POSITIVE), by(_divided, WHOLE, WHOLE, note="int32")],
    "multiply": _two(long=True),
    "nan_to_num": [
        by(_gaps, X),
        by(lambda op, x: op(_with_gaps(x), 1.0, 2.0, 3.0), X, note="told"),
    ],
    "negative": _one(long=True),
    "nextafter": [on(X, X), by(lambda op, x: op(x * 0.0, x), X, note="from 0")],
    "not_equal": _compared(),
    "polar": [by(lambda op, r, a: ops.view_as_real(op(r, a)), POSITIVE, X)],
    "power": [
        on(POSITIVE, X),
        on(COUNTS, Takes((3, 4), 0, 3, "int32"), note="int32"),
        by(lambda op, x: op(x, 2), X, note="squared"),
        by(lambda op, x: op(x, 3.0), X, note="cubed"),
    ],
    "rad2deg": _one(),
    "real": _one(),
    "reciprocal": [on(POSITIVE)],
    "right_shift": [on(WHOLE, SHIFT)],
    "round": [
        on(X),
        on(X, decimals=1, note="decimals"),
        on(WHOLE, note="int32"),
        by(lambda op, x: op(ops.round(x * 2) / 2), X, note="halves"),
    ],
    "rsqrt": [on(POSITIVE)],
    "saturate_cast": [
        on(Takes((4,), -300.0, 300.0), dtype="uint8"),
        on(Takes((4,), -300.0, 300.0), dtype="int8", note="int8"),
        on(Takes((4,), -300, 300, "int32"), dtype="uint8", note="from int32"),
    ],
    "sign": [by(lambda op, x: op(ops.round(x)), X), on(WHOLE, note="int32")],
    "signbit": [by(lambda op, x: op(ops.round(x)), X), on(WHOLE, note="int32")],
    "sin": _one(),
    "sinc": [*_one(whole=False), by(lambda op, x: op(ops.round(x)), X, note="at 0")],
    "sinh": _one(),
    "sqrt": [on(POSITIVE), on(COUNTS, note="int32")],
    "square": _one(),
    "subtract": _two(long=True),
    "tan": [on(UNIT)],
    "tanh": _one(),
    "true_divide": [on(X, POSITIVE), on(WHOLE, COUNTS, note="int32")],
    "trunc": _one(),
    "view": [
        on(X, dtype="int32"),
        on(WHOLE, dtype="float32", note="from int32"),
        on(X, dtype="uint8", note="as bytes"),
        on(Takes((4,), 0, 255, "uint8"), dtype="int32", note="from bytes"),
        on(WHOLE, dtype="int16", note="halves"),
    ],
    "view_as_complex": [
        by(lambda op, x: ops.real(op(x) * op(x)), Takes((3, 2))),
        by(lambda op, x: op(x), Takes((3, 2)), note="answered", refused="complex"),
    ],
    "view_as_real": [
        by(lambda op, x: op(ops.exp(ops.view_as_complex(x))), Takes((3, 2)))
    ],
    "where": [
        by(lambda op, x, y: op(x > y, x, y * 2), X, X),
        on(FLAG, WHOLE, WHOLE, note="int32"),
        on(FLAG, FLAG, FLAG, note="bool"),
    ],
}
