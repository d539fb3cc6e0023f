"""Complex numbers are pairs of real ones; NumPy computes the expected values."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

REAL, IMAG = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
Z = REAL + 1j * IMAG
W = IMAG - 1j * REAL


def test_each_operator_of_pairs(tf):
    """All are in one model, because a conversion takes longer than an operator."""

    def work(a, b):
        z, w = tf.complex(a, b), tf.complex(b, -a)
        fine = tf.cast(z, tf.complex128)
        same, other = tf.raw_ops.IdentityN(input=[z, a])
        answers = {
            "sub": z - w,
            "neg": -z,
            "sum": tf.raw_ops.AddN(inputs=[z, w, z]),
            "square": tf.square(z),
            "reciprocal": tf.math.reciprocal(z),
            "log": tf.math.log(z),
            "power": tf.pow(z, w),
            "power of 0": tf.pow(z - z, tf.ones_like(z)),
            "mean": tf.reduce_mean(z, axis=1, keepdims=True),
            "mean of all": tf.reduce_mean(z),
            "ones": tf.ones_like(z) * z,
            "adjoint": tf.linalg.adjoint(z),
            "conjugate transpose": tf.transpose(z, [1, 0], conjugate=True),
            "product": tf.raw_ops.MatMul(a=z, b=w, transpose_a=True),
            "finer": fine * fine,
            "identity": same + tf.cast(other, tf.complex64),
            "reshaped": tf.reshape(z, [tf.size(w), 1]),
        }
        plain = {
            "equal": tf.equal(z, tf.complex(a, tf.where(a > 0, b, 0.0))),
            "not equal": tf.not_equal(z, tf.complex(tf.where(a > 0, a, 0.0), b)),
            "shape": tf.shape(z),
            "real cast": tf.cast(tf.math.real(fine), tf.float32),
        }
        names.extend([*answers, *plain])
        pairs = [(tf.math.real(z), tf.math.imag(z)) for z in answers.values()]
        return *pairs, *plain.values()

    expected = {
        "sub": Z - W,
        "neg": -Z,
        "sum": Z + W + Z,
        "square": Z * Z,
        "reciprocal": 1 / Z,
        "log": np.log(Z),
        "power": Z**W,
        "power of 0": 0 * Z,
        "mean": Z.mean(axis=1, keepdims=True),
        "mean of all": Z.mean(),
        "ones": Z,
        "adjoint": Z.conj().T,
        "conjugate transpose": Z.conj().T,
        "product": Z.T @ W,
        "finer": Z * Z,
        "identity": Z + REAL,
        "reshaped": Z.reshape(9, 1),
        "equal": REAL > 0,
        "not equal": REAL <= 0,
        "shape": [3, 3],
        "real cast": REAL,
    }
    names = []
    answered = iter(converted(work, REAL, IMAG))
    assert names[: len(expected)] == list(expected)
    for name, answer in expected.items():
        given = next(answered)
        if np.iscomplexobj(answer):
            given = given + 1j * next(answered)
        np.testing.assert_allclose(given, answer, 1e-4, 1e-4, err_msg=name)
