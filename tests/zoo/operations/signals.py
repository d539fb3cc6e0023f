"""Try Fourier transforms, whose complex numbers go in and out as pairs."""

from __future__ import annotations

from keras import ops

from tests.zoo.operations.recipe import Recipe, Takes, by, on

ROW = Takes((6,))
PLANE = Takes((5, 6))
WAVE = Takes((20,))
FREE = Takes((None,))


def _pair(**options):
    return lambda op, real, imag: op((real, imag), **options)


def _there_and_back(op, x):
    return op(ops.stft(x, 6, 2, 8), 6, 2, 8)


def _filtered(op, x):
    real, imag = op(x)
    keep = ops.cast(ops.arange(4) < 2, "float32")
    return ops.irfft((real * keep, imag * keep))


RECIPES: dict[str, list[Recipe]] = {
    "fft": [by(_pair(), ROW, ROW), by(_pair(), PLANE, PLANE, note="rows")],
    "fft2": [by(_pair(), PLANE, PLANE)],
    "ifft2": [by(_pair(), PLANE, PLANE)],
    "irfft": [by(_pair(), ROW, ROW), by(_pair(fft_length=7), ROW, ROW, note="length")],
    "istft": [
        by(_there_and_back, WAVE),
        by(
            lambda op, x: op(
                ops.stft(x, 6, 2, 8, center=False), 6, 2, 8, center=False, length=18
            ),
            WAVE,
            note="length",
        ),
        by(
            lambda op, x: op(
                ops.stft(x, 8, 4, 8, window="hamming"), 8, 4, 8, window="hamming"
            ),
            WAVE,
            note="hamming",
        ),
    ],
    "rfft": [
        on(ROW),
        on(ROW, fft_length=4, note="shorter"),
        on(ROW, fft_length=9, note="longer"),
        by(_filtered, ROW, note="filtered"),
    ],
    "stft": [
        on(WAVE, sequence_length=6, sequence_stride=2, fft_length=8),
        on(
            WAVE,
            sequence_length=8,
            sequence_stride=4,
            fft_length=8,
            window=None,
            center=False,
            note="plain",
        ),
        on(
            FREE,
            sequence_length=6,
            sequence_stride=2,
            fft_length=8,
            center=False,
            note="free",
        ),
    ],
}
