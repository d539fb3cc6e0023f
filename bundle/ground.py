"""The ground of a picture: the paper or board on which something is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The ground is fitted to about so many pixels a side. It is smooth, and more pixels
# would not change it.
_SIDE = 40

# The fit is made so many times, each time without the pixels that the last one called
# ink.
_ROUNDS = 4

# A median absolute deviation times this number is the standard deviation of noise.
_DEVIATION = 1.4826

# A pixel that lies so many standard deviations from the ground is no noise.
_SIGNIFICANT = 3.0

# JPEG changes the pixels of an even ground by a few levels.
LEAST = 6.0


@dataclass(frozen=True)
class Ground:
    """The level that each pixel would have if nothing were drawn.

    Attributes:
        level: ``(H, W)`` float32, 0..255 and perhaps a little beyond.
        noise: the standard deviation of the ground's own pixels, in levels.
    """

    level: NDArray[np.float32]
    noise: float

    def ink(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        """Subtract the ground: ink that is lighter is positive, and darker negative.

        Args:
            gray: ``(H, W)`` float32, 0..255, of the picture itself.

        Returns:
            ``(H, W)`` float32.
        """
        return gray - self.level

    @property
    def significant(self) -> float:
        """The number of levels from which a difference is no noise."""
        return max(LEAST, _SIGNIFICANT * self.noise)


def ground_of(gray: NDArray[np.float32]) -> Ground:
    """Estimate the ground of a picture, which may be lit unevenly.

    The border of a picture shows its ground, and a surface of the second degree is
    fitted to all pixels that are like it.

    Args:
        gray: ``(H, W)`` float32, 0..255.
    """
    height, width = gray.shape
    edges = np.concatenate((gray[0], gray[-1], gray[:, 0], gray[:, -1]))
    level = np.median(edges)
    spread = _DEVIATION * float(np.median(np.abs(edges - level)))
    rows = slice(None, None, -(-height // _SIDE))
    columns = slice(None, None, -(-width // _SIDE))
    few = gray[rows, columns].ravel()
    near = np.abs(few - level) <= max(2 * LEAST, _SIGNIFICANT * spread)
    if not near.any() or not np.ptp(few[near]):
        return Ground(np.full_like(gray, level), 0.0)
    y = np.linspace(-1, 1, height, dtype=np.float32)
    x = np.linspace(-1, 1, width, dtype=np.float32)
    terms = _terms(y[rows, np.newaxis], x[columns]).reshape(6, -1)
    noise = 0.0
    factors = np.zeros(6, np.float32)
    factors[0] = level
    for _ in range(_ROUNDS):
        chosen = terms[:, near]
        # The small sum keeps the matrix regular where few pixels are ground.
        matrix = chosen @ chosen.T + 0.1 * np.eye(6, dtype=np.float32)
        factors[0] -= level
        factors = np.linalg.solve(matrix, chosen @ (few[near] - level))
        factors[0] += level
        rest = np.abs(few - factors @ terms)
        noise = _DEVIATION * float(np.median(rest[near]))
        near = rest <= max(LEAST, _SIGNIFICANT * noise)
        if not near.any():
            break
    whole = _terms(y[:, np.newaxis], x)
    return Ground(np.tensordot(factors, whole, 1).astype(np.float32), noise)


def _terms(y: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the terms of a surface of the second degree, ``(6, H, W)`` float32."""
    one = np.ones((y.shape[0], x.shape[-1]), np.float32)
    return np.stack((one, y * one, x * one, y * x, y * y * one, x * x * one))
