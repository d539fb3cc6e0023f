"""Layers use tf.linalg, tf.einsum and sums over axes like these."""

from __future__ import annotations

import keras
import tensorflow as tf

from tests.zoo.networks.built import network, of_tensors


@network(x=(-1, 1), y=(-1, 1))
def einsum() -> keras.Model:
    """Use batches, transposes, outer products, traces and ellipses."""

    def run(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.einsum("bij,bjk->bik", x, y),
            tf.einsum("bij,bkj->bki", x, x),
            tf.einsum("...ij,...jk->...ik", x, y),
            tf.einsum("bii->b", tf.matmul(x, y)),
            tf.einsum("bij->bji", x),
            tf.einsum("bij,bjk,bkl->bl", x, y, x),
            tf.tensordot(x, y, axes=[[2], [1]])[:, :, 0],
        )

    return of_tensors(run, x=(3, 4), y=(4, 3))


@network(x=(-1, 1))
def square_matrices() -> keras.Model:
    """Use inverses, determinants, solutions, and Cholesky of a positive matrix."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        positive = tf.matmul(x, x, transpose_b=True) + 2.0 * tf.eye(3)
        lower = tf.linalg.cholesky(positive)
        return (
            tf.linalg.inv(positive),
            tf.linalg.det(positive),
            tf.linalg.logdet(positive),
            lower,
            tf.linalg.solve(positive, x),
            tf.linalg.triangular_solve(lower, x),
            tf.linalg.trace(x),
        )

    return of_tensors(run, x=(3, 3))


@network(x=(-1, 1))
def diagonals() -> keras.Model:
    """Take diagonals out of matrices, put them into matrices, and keep one side."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.linalg.diag_part(x),
            tf.linalg.diag(x[:, 0]),
            tf.linalg.set_diag(x, tf.zeros_like(x[:, 0])),
            tf.linalg.band_part(x, 1, 0),
            tf.linalg.matrix_transpose(x),
            tf.linalg.adjoint(x),
            tf.linalg.matvec(x, x[:, 1]),
            tf.linalg.cross(x[:, 0], x[:, 1]),
        )

    return of_tensors(run, x=(3, 3))


@network(x=(-2, 2))
def norms() -> keras.Model:
    """Take norms of every order, and scale by them."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.norm(x, axis=-1),
            tf.norm(x, ord=1, axis=-1),
            tf.norm(x, ord=float("inf"), axis=1),
            tf.math.l2_normalize(x, axis=-1),
            tf.clip_by_norm(x, 1.0, axes=[2]),
            tf.nn.l2_loss(x),
        )

    return of_tensors(run, x=(3, 4))


@network(x=(-2, 2))
def reductions() -> keras.Model:
    """Reduce numbers and truths over some axes and over all."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (
            tf.reduce_sum(x, [1, 2]),
            tf.reduce_mean(x, -1, keepdims=True),
            tf.reduce_max(x),
            tf.reduce_min(x, 1),
            tf.reduce_prod(x, 2),
            tf.reduce_logsumexp(x, -1),
            tf.math.reduce_std(x, 1),
            tf.math.reduce_variance(x, [1, 2]),
            tf.math.reduce_euclidean_norm(x, 1),
            tf.reduce_any(x > 1.5, 1),
            tf.reduce_all(x < 1.5, [1, 2]),
            tf.reduce_sum(tf.cast(x * 3, tf.int32), 1),
            tf.reduce_max(tf.cast(x * 3, tf.int64), 1),
        )

    return of_tensors(run, x=(3, 4))


@network(x=(-2, 2), y=(0.5, 3))
def arithmetic() -> keras.Model:
    """Use the functions with which losses, features and activations are written."""

    def run(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, ...]:
        whole = tf.cast(x * 4, tf.int32)
        return (
            tf.math.divide_no_nan(x, tf.nn.relu(x)),
            tf.math.multiply_no_nan(x, tf.nn.relu(x)),
            tf.math.floormod(x, y),
            tf.math.floordiv(x, y),
            tf.truncatemod(whole, 3),
            whole // 3,
            tf.math.squared_difference(x, y),
            tf.math.xlogy(y, y) + tf.math.xlog1py(y, y) + tf.math.xdivy(x, y),
            tf.math.log1p(y) + tf.math.expm1(x),
            tf.math.atan2(x, y),
            tf.math.lgamma(y) + tf.math.digamma(y),
            tf.math.erf(x) + tf.math.erfc(x),
            tf.math.erfinv(x / 3),
            tf.math.sign(x) + tf.round(x * 2) + tf.math.rint(x * 2),
            tf.pow(y, x) + tf.math.rsqrt(y) + tf.math.reciprocal(y),
            tf.nn.softsign(x) + tf.nn.softplus(x) + tf.nn.crelu(x)[..., :3],
            tf.nn.log_softmax(x) + tf.nn.silu(x) + tf.nn.gelu(x, approximate=True),
            tf.math.cosh(x) + tf.math.asinh(x) + tf.math.acosh(y + 1),
            tf.math.igamma(y, y) + tf.math.bessel_i0e(x),
            tf.bitwise.bitwise_and(whole, 5) + tf.bitwise.left_shift(whole, 1),
            tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(y), x),
            tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(y), x),
        )

    return of_tensors(run, x=(3,), y=(3,))


@network(wave=(-1, 1))
def spectrogram() -> keras.Model:
    """Compute the spectrum of a sound's frames in mels, as speech models begin."""

    def run(wave: tf.Tensor) -> tuple[tf.Tensor, ...]:
        spectrum = tf.abs(tf.signal.stft(wave, 16, 8, 16))
        mels = tf.tensordot(
            spectrum,
            tf.signal.linear_to_mel_weight_matrix(5, 9, 8000, 100.0, 3800.0),
            1,
        )
        log_mels = tf.math.log(mels + 1e-3)
        return log_mels, tf.signal.mfccs_from_log_mel_spectrograms(log_mels)

    return of_tensors(run, wave=(64,))


@network(x=(-1, 1))
def spectra() -> keras.Model:
    """Transform to frequencies and back, over one axis and over two."""

    def run(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        spectrum = tf.signal.rfft(x)
        kept = spectrum * tf.cast([1, 1, 1, 0, 0], tf.complex64)
        both = tf.signal.fft2d(tf.complex(x, tf.zeros_like(x)))
        return (
            tf.signal.irfft(kept),
            tf.math.angle(spectrum + tf.complex(3.0, 1.0)),
            tf.math.imag(tf.math.conj(both)),
            tf.math.real(tf.signal.ifft2d(both * both)),
        )

    return of_tensors(run, x=(4, 8))
