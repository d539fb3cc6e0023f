"""Expected values come from NumPy's LAPACK."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import conversion, converted

pytestmark = pytest.mark.tensorflow

GENERATOR = np.random.default_rng(0)
SQUARE = GENERATOR.normal(size=(3, 3, 3)).astype(np.float32)
POSITIVE = SQUARE @ SQUARE.swapaxes(1, 2) + np.eye(3, dtype=np.float32)
TALL = GENERATOR.normal(size=(3, 4, 3)).astype(np.float32)


def near(answered, expected):
    np.testing.assert_allclose(answered, expected, rtol=1e-3, atol=1e-4)


def test_equations_and_inverses(tf):
    x, inverse, other = converted(
        lambda a, b: (
            tf.linalg.solve(a, b),
            tf.linalg.inv(a),
            tf.linalg.solve(a, b, adjoint=True),
        ),
        SQUARE,
        SQUARE[::-1],
    )
    near(x, np.linalg.solve(SQUARE, SQUARE[::-1]))
    near(inverse, np.linalg.inv(SQUARE))
    near(other, np.linalg.solve(SQUARE.swapaxes(1, 2), SQUARE[::-1]))


def test_a_pivot_of_0(tf):
    a = np.array([[[0, 2.0], [3, 0]]])
    inverse, determinant = converted(lambda a: (tf.linalg.inv(a), tf.linalg.det(a)), a)
    near(inverse, np.linalg.inv(a))
    near(determinant, [-6])


def test_determinants(tf):
    a = np.concatenate([SQUARE, np.zeros_like(SQUARE[:1])])
    determinant, (sign, size) = (
        converted(tf.linalg.det, a)[0],
        converted(tf.linalg.slogdet, SQUARE),
    )
    near(determinant, np.linalg.det(a))
    near(sign, np.linalg.slogdet(SQUARE)[0])
    near(size, np.linalg.slogdet(SQUARE)[1])


def test_factors_and_the_order_of_rows(tf):
    both, order = converted(tf.linalg.lu, SQUARE)
    lower = np.tril(both, -1) + np.eye(3)
    for a, low, up, rows in zip(SQUARE, lower, np.triu(both), order, strict=True):
        near(low @ up, a[rows])
        assert np.abs(low).max() <= 1 + 1e-6


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_triangles(tf, lower, adjoint):
    (x,) = converted(
        lambda a, b: tf.linalg.triangular_solve(a, b, lower, adjoint),
        POSITIVE,
        SQUARE,
    )
    a = np.tril(POSITIVE) if lower else np.triu(POSITIVE)
    near(x, np.linalg.solve(a.swapaxes(1, 2) if adjoint else a, SQUARE))


def test_cholesky(tf):
    (answered,) = converted(tf.linalg.cholesky, POSITIVE)
    near(answered, np.linalg.cholesky(POSITIVE))


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("a", [SQUARE, TALL, TALL.swapaxes(1, 2).copy()])
def test_qr(tf, full, a):
    q, r = converted(lambda a: tf.linalg.qr(a, full_matrices=full), a)
    expected_q, expected_r = np.linalg.qr(a, "complete" if full else "reduced")
    near(q, expected_q)
    near(r, expected_r)


@pytest.mark.parametrize("a", [SQUARE, TALL, TALL.swapaxes(1, 2).copy()])
def test_singular_values(tf, a):
    values, u, v = converted(tf.linalg.svd, a)
    near(values, np.linalg.svd(a, compute_uv=False))
    near(u * values[:, np.newaxis] @ v.swapaxes(1, 2), a)
    side = min(a.shape[1:])
    near(u.swapaxes(1, 2) @ u, np.broadcast_to(np.eye(side), (3, side, side)))


@pytest.fixture(scope="module")
def eigh(tf):
    return conversion(tf.linalg.eigh, POSITIVE)


def test_eigenvalues_of_symmetric_matrices(eigh):
    values, vectors = eigh(POSITIVE)
    expected, directions = np.linalg.eigh(POSITIVE)
    near(values, expected)
    near(np.abs(np.sum(vectors * directions, axis=1)), np.ones((3, 3)))


def test_eigenvalues_of_a_diagonal(eigh):
    """Nothing is left to rotate, so the loop ends at once."""
    values, _ = eigh(np.diag([3.0, 1.0, 2.0]).astype(np.float32)[np.newaxis])
    near(values, [[1, 2, 3]])
