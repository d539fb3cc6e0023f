"""Try products, and functions of linear algebra."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by, on

A = Takes((4, 4), -1.0, 1.0)
TALL = Takes((5, 3), -1.0, 1.0)
WIDE = Takes((3, 5), -1.0, 1.0)
B = Takes((4, 2))
ROW = Takes((4,))
VECTOR = Takes((3,))
WHOLE = Takes((3, 4), -5, 5, "int32")


def _spread(x):
    """Return matrices of full rank with distinct singular values, for x in -1..1."""
    rows, columns = x.shape[-2:]
    steps = ops.reshape(
        ops.sin(ops.arange(rows * columns, dtype="float32") * 1.3), (rows, columns)
    )
    return (
        x * 0.3 + steps * 0.3 + ops.eye(rows, columns) * ops.arange(2.0, 2.0 + columns)
    )


def _symmetric(x):
    x = _spread(x)
    return x + ops.swapaxes(x, -1, -2)


def _positive(x):
    x = _spread(x)
    return ops.matmul(x, ops.swapaxes(x, -1, -2)) + ops.eye(x.shape[-1])


def _of(make, *, mean=False, **options):
    def body(op, x, *others):
        if mean:
            x, *others = (ops.mean(tensor, axis=0) for tensor in (x, *others))
        return op(make(x), *others, **options)

    return body


def _lower(x):
    return ops.tril(_spread(x))


def _upper(x):
    return ops.triu(_spread(x))


def _low_rank(x):
    return ops.matmul(_spread(x)[..., :2], ops.swapaxes(_spread(x), -1, -2)[..., :2, :])


def _sized(op, x):
    """Return values and vectors without the vectors' signs, which are free."""
    values, vectors = op(_symmetric(x))
    return values, ops.abs(vectors)


def _squared_root(op, x):
    """Return a use of eigenvectors in which their free signs do not show."""
    values, vectors = op(_positive(x))
    root = vectors * ops.sqrt(values)[..., None, :]
    return values, ops.matmul(root, ops.swapaxes(vectors, -1, -2))


def _rotated(op, x):
    """Return the sorted real answers of a matrix's complex eigenvalues."""
    values, _ = op(_spread(x))
    return ops.sort(ops.real(values)), ops.sum(ops.imag(values), axis=-1)


RECIPES: dict[str, list[Recipe]] = {
    "cdist": [on(Takes((4, 3)), Takes((5, 3)))],
    "cholesky": [
        by(_of(_positive), A),
        by(_of(_positive, upper=True), A, note="upper"),
    ],
    "cholesky_inverse": [
        by(lambda op, x: op(ops.cholesky(_positive(x))), A),
        by(
            lambda op, x: op(ops.cholesky(_positive(x), upper=True), upper=True),
            A,
            note="upper",
        ),
    ],
    "correlate": [
        by(lambda op, x, y: op(x[0], y[0, :3]), Takes((6,)), ROW),
        by(
            lambda op, x, y: op(x[0], y[0, :3], mode="same"),
            Takes((6,)),
            ROW,
            note="same",
        ),
        by(
            lambda op, x, y: op(x[0], y[0, :3], mode="full"),
            Takes((6,)),
            ROW,
            note="full",
        ),
    ],
    "cross": [
        on(VECTOR, VECTOR),
        on(Takes((2,)), Takes((2,)), note="2D"),
        on(Takes((2,)), VECTOR, note="mixed"),
    ],
    "det": [
        by(_of(_spread), A),
        by(_of(lambda x: x), A, note="any"),
        by(_of(_spread), Takes((2, 2), -1, 1), note="2x2"),
    ],
    "dot": [
        by(lambda op, x, y: op(x, ops.transpose(y)), ROW, ROW),
        by(lambda op, x, y: op(x[0], y[0]), ROW, ROW, note="vectors"),
        by(lambda op, x: op(x, ops.ones((2, 4, 5))), Takes((3, 4)), note="3D"),
    ],
    "eig": [
        by(_rotated, A, refused="Eig"),
        by(_of(_spread), A, note="answered", refused="complex"),
    ],
    "eigh": [
        by(_sized, A),
        by(_of(_symmetric), Takes((2, 2), -1, 1), note="2x2"),
        by(_squared_root, Takes((7, 7), -1, 1), note="7x7"),
    ],
    "einsum": [
        by(lambda op, x, y: op("bij,bjk->bik", x, y), Takes((3, 4)), B),
        by(
            lambda op, x, y: op("bij,bkj->b", x, y),
            Takes((3, 4)),
            Takes((2, 4)),
            note="summed",
        ),
        by(lambda op, x: op("bii->bi", x), A, note="diagonal"),
        by(lambda op, x: op("bii->b", x), A, note="trace"),
        by(
            lambda op, x, y, z: op("bi,bj,bk->bijk", x, y, z),
            ROW,
            ROW,
            VECTOR,
            note="three",
        ),
        by(lambda op, x: op("...ij->...ji", x), A, note="ellipsis"),
    ],
    "inner": [by(lambda op, x, y: op(x, y), ROW, ROW)],
    "inv": [
        by(_of(_spread), A),
        by(_of(lambda x: _spread(x)[..., ::-1, :]), A, note="pivots"),
        by(_of(_spread), Takes((1, 1), -1, 1), note="1x1"),
    ],
    "kron": [by(lambda op, x, y: op(x[0], y[0]), Takes((2, 3)), Takes((3, 2)))],
    "logdet": [by(_of(_positive), A)],
    "lstsq": [
        by(_of(_spread, mean=True), TALL, Takes((5, 2))),
        by(_of(_spread, mean=True), TALL, Takes((5,)), note="one"),
        by(_of(_spread, mean=True), WIDE, Takes((3, 2)), note="wide"),
    ],
    "lu_factor": [
        by(_of(_spread, mean=True), A),
        by(_of(lambda x: _spread(x)[..., ::-1, :], mean=True), A, note="pivots"),
    ],
    "matmul": [
        on(Takes((3, 4)), B),
        on(WHOLE, Takes((4, 2), -5, 5, "int32"), note="int32"),
        by(lambda op, x: op(x, ops.ones((4, 5))), Takes((3, 4)), note="constant"),
        by(lambda op, x, y: op(x, y[0]), ROW, ROW, note="vector"),
    ],
    "matrix_rank": [
        by(_of(_spread), A),
        by(_of(_low_rank), A, note="low"),
        by(_of(_spread), TALL, note="tall"),
    ],
    "norm": [
        on(ROW),
        on(Takes((3, 4)), axis=(1, 2), note="matrix"),
        on(Takes((3, 4)), ord=1, axis=-1, note="1"),
        on(Takes((3, 4)), ord=float("inf"), axis=(1, 2), note="inf"),
        on(Takes((3, 4)), ord=3, axis=-1, note="3"),
        by(_of(_spread, ord="nuc", axis=(1, 2)), A, note="nuc"),
        by(_of(_spread, ord=2, axis=(1, 2)), TALL, note="2"),
        by(_of(_spread, ord=-2, axis=(1, 2), keepdims=True), WIDE, note="-2"),
    ],
    "outer": [
        by(lambda op, x, y: op(x[0], y[0]), ROW, VECTOR),
        on(ROW, VECTOR, note="batch"),
    ],
    "pinv": [
        by(_of(_spread), A),
        by(_of(_spread), TALL, note="tall"),
        by(_of(_spread), WIDE, note="wide"),
        by(_of(_low_rank), A, note="low rank"),
    ],
    "qr": [
        by(_of(_spread), A),
        by(_of(_spread), TALL, note="tall"),
        by(_of(_spread), WIDE, note="wide"),
        by(_of(_spread, mode="complete"), TALL, note="complete"),
    ],
    "slogdet": [
        by(_of(_spread), A),
        by(
            _of(lambda x: ops.take(_spread(x), [1, 0, 2, 3], axis=-2)),
            A,
            note="negative",
        ),
    ],
    "solve": [
        by(_of(_spread), A, B),
        by(_of(_spread), A, ROW, note="vector"),
        by(_of(lambda x: _spread(x)[..., ::-1, :]), A, B, note="pivots"),
    ],
    "solve_triangular": [
        by(_of(_lower, lower=True), A, B),
        by(_of(_upper), A, B, note="upper"),
        by(_of(_upper), A, ROW, note="vector"),
    ],
    "svd": [
        by(_of(_spread, compute_uv=False), A, note="values"),
        by(_of(_spread, full_matrices=False), TALL, note="tall"),
        by(_of(_spread, full_matrices=False), WIDE, note="wide"),
        by(_of(_spread), A),
        by(_of(_spread), TALL, note="full"),
    ],
    "tensordot": [
        by(lambda op, x: op(x, ops.ones((4, 5)), axes=1), Takes((3, 4))),
        by(
            lambda op, x, y: op(x, y, axes=[[0, 1], [0, 1]]),
            Takes((3, 4)),
            Takes((3, 2)),
            note="axes",
        ),
    ],
    "vdot": [by(lambda op, x, y: op(x, y), ROW, ROW)],
}
