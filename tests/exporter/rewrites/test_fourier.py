"""Expected values come from NumPy's transforms."""

import numpy as np
import pytest

from exporter.errors import ExportError
from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

REAL, IMAG = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)


def near(answered, expected):
    np.testing.assert_allclose(answered, expected, rtol=1e-4, atol=1e-4)


def parts(tf, z):
    return tf.math.real(z), tf.math.imag(z)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fft", np.fft.fft),
        ("ifft", np.fft.ifft),
        ("fft2d", np.fft.fft2),
        ("ifft2d", np.fft.ifft2),
        ("fft3d", np.fft.fftn),
    ],
)
def test_of_complex_numbers(tf, name, expected):
    transform = getattr(tf.signal, name)
    real, imag = converted(
        lambda a, b: parts(tf, transform(tf.complex(a, b))), REAL, IMAG
    )
    answer = expected(REAL + 1j * IMAG)
    near(real, answer.real)
    near(imag, answer.imag)


@pytest.mark.parametrize("length", [4, 5, 8])
def test_of_real_numbers_cut_and_filled_up(tf, length):
    real, imag = converted(lambda a: parts(tf, tf.signal.rfft(a, [length])), REAL)
    answer = np.fft.rfft(REAL, length)
    near(real, answer.real)
    near(imag, answer.imag)


@pytest.mark.parametrize("length", [7, 8])
def test_back_to_real_numbers(tf, length):
    (answered,) = converted(
        lambda a, b: tf.signal.irfft(tf.complex(a, b), [length]), REAL, IMAG
    )
    near(answered, np.fft.irfft(REAL + 1j * IMAG, length))


def test_of_a_length_known_when_the_model_runs(tf):
    wave = np.sin(np.arange(37, dtype=np.float32))
    real, imag = converted(lambda a: parts(tf, tf.signal.rfft(a)), wave)
    near(real + 1j * imag, np.fft.rfft(wave))


def test_arithmetic_of_pairs(tf):
    def work(a, b):
        z = tf.complex(a, b)
        w = tf.exp(z) / (z * z + tf.constant(2 + 1j, tf.complex64))
        w = tf.transpose(tf.concat([w, tf.math.conj(z)], axis=-1), [0, 2, 1])
        return *parts(tf, w), tf.abs(w), tf.math.angle(w), tf.abs(tf.sqrt(z))

    real, imag, size, angle, root = converted(work, REAL, IMAG)
    z = REAL + 1j * IMAG
    w = np.concatenate([np.exp(z) / (z * z + 2 + 1j), z.conj()], axis=-1)
    w = w.transpose(0, 2, 1)
    near(real, w.real)
    near(imag, w.imag)
    near(size, np.abs(w))
    near(angle, np.angle(w))
    near(root, np.abs(np.sqrt(z)))


def test_products_of_complex_matrices(tf):
    real, imag = converted(
        lambda a, b: parts(
            tf, tf.matmul(tf.complex(a, b), tf.complex(b, a), adjoint_b=True)
        ),
        REAL,
        IMAG,
    )
    answer = (REAL + 1j * IMAG) @ (IMAG + 1j * REAL).conj().swapaxes(1, 2)
    near(real + 1j * imag, answer)


def test_a_complex_answer_is_refused(tf):
    with pytest.raises(ExportError, match="complex numbers"):
        converted(lambda a: tf.complex(a, a), REAL)


def test_what_has_no_form_of_pairs_is_refused_by_name(tf):
    with pytest.raises(ExportError, match="Eig"):
        converted(lambda a: tf.abs(tf.linalg.eig(a)[0]), REAL[:, :, :4])
