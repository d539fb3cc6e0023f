"""The few things that every stage may ask of a data set's images."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Images(Protocol):
    """Images of one size, in memory or on disk.

    A numpy array of uint8 is such images, and so is ``StoredImages``. Nobody may ask
    more of them than this, because the pixels of a large data set lie on disk.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, H, W, C)``; C is 1 or 3."""

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Uint8, 0..255."""

    def __len__(self) -> int:
        """Return N."""

    def __getitem__(self, which: Any, /) -> NDArray[np.uint8]:
        """Return one image by its number, or several by a slice or ``(M,)`` int64.

        Returns:
            ``(H, W, C)`` uint8 for a number; ``(M, H, W, C)`` uint8 for the others.
        """
