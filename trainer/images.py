"""The images of a data set, parts of them, and several sets of them as one.

The pixels of a large data set lie on disk, so parts and joins of it copy none of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

# So many bytes of pixels are worked on at a time.
_PIECE = 1 << 22


class Images(Protocol):
    """Images of one size, in memory or on disk.

    A numpy array is such images, and so is ``StoredImages``. Nobody may ask more of
    them than this, because the pixels of a large data set lie on disk. In a ``DataSet``
    they are ``(N, H, W, C)`` uint8; a file may hold other shapes and dtypes.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, H, W, C)``; C is 1 or 3."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of a pixel; uint8 is 0..255."""

    def __len__(self) -> int:
        """Return N."""

    def __getitem__(self, which: Any, /) -> NDArray[Any]:
        """Return one image by its number, or several by a slice or ``(M,)`` int64.

        Returns:
            ``(H, W, C)`` for a number; ``(M, H, W, C)`` for the others.

        Raises:
            IndexError: there is no image of that number.
        """


def numbers_of(which: Any, count: int) -> NDArray[np.int64]:
    """Return the numbers of the images that a slice or an array chooses.

    Args:
        which: a slice, or ``(M,)`` whole numbers, or ``(count,)`` bool.
        count: the number of images.

    Raises:
        IndexError: there is no image of such a number.
    """
    if isinstance(which, slice):
        return np.arange(*which.indices(count), dtype=np.int64)
    chosen = np.asarray(which)
    if chosen.dtype == np.bool:
        return np.flatnonzero(chosen)
    numbers = chosen.astype(np.int64)
    numbers = np.where(numbers < 0, numbers + count, numbers)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < count):
        raise IndexError(f"the images are 0 to {count - 1}")
    return numbers


class _Chosen:
    """Some images of others."""

    def __init__(self, images: Images, numbers: NDArray[np.int64]) -> None:
        self._images, self._numbers = images, numbers
        self.shape = (len(numbers), *images.shape[1:])
        self.dtype = images.dtype

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, which: Any, /) -> NDArray[Any]:
        return self._images[self._numbers[which]]


class _Joined:
    """Images one after the other, of which each part stays where it is."""

    def __init__(self, first: Images, second: Images) -> None:
        self.parts = (first, second)
        self.shape = (len(first) + len(second), *first.shape[1:])
        self.dtype = first.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: Any, /) -> NDArray[Any]:
        if isinstance(which, int | np.integer):
            one: NDArray[Any] = self[np.array([which])][0]
            return one
        numbers = numbers_of(which, len(self))
        first, second = self.parts
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        in_first = numbers < len(first)
        found[in_first] = first[numbers[in_first]]
        found[~in_first] = second[numbers[~in_first] - len(first)]
        return found


def choose(images: Images, which: slice | NDArray[Any]) -> Images:
    """Return some of the images; only a numpy array is copied, and not by a slice.

    Args:
        images: ``(N, …)``.
        which: a slice, or ``(M,)`` int64, or ``(N,)`` bool.
    """
    if isinstance(images, np.ndarray):
        return images[which]
    return _Chosen(images, numbers_of(which, len(images)))


def join(first: Images, second: Images) -> Images:
    """Return the images of both, one after the other, without a copy.

    Args:
        first: ``(N, …)``.
        second: ``(M, …)`` of the same shape and dtype but for the number of images.
    """
    return _Joined(first, second)


def in_memory(images: Images) -> bool:
    """Tell whether all pixels lie in memory, and none in a file of this machine."""
    if isinstance(images, _Joined):
        return all(in_memory(part) for part in images.parts)
    return isinstance(images, np.ndarray)


def pieces(images: Images) -> Iterator[NDArray[Any]]:
    """Give all images in pieces of a few megabytes, ``(M, …)`` each."""
    each = images.dtype.itemsize * math.prod(images.shape[1:])
    step = max(1, _PIECE // max(1, each))
    for start in range(0, len(images), step):
        yield images[start : start + step]
