"""EMNIST's file of classes: the character that each class number means.

NIST gives each of its sets a file such as ``emnist-balanced-mapping.txt``. A line holds
a class number and the codes of its characters: ``1 65 97`` means A and a. In the
letters, the class numbers begin at 1.

Source: https://www.nist.gov/itl/products-and-services/emnist-dataset.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.formats.content import read_content


class Classes(NamedTuple):
    """The classes that a file names.

    Attributes:
        path: the file.
        known: ``(K,)`` int64, the class numbers of the labels, in order.
        names: the first character of each.
    """

    path: Path
    known: NDArray[np.int64]
    names: tuple[str, ...]

    def numbers(self, labels: NDArray[np.uint8], path: Path) -> NDArray[np.int64]:
        """Return class numbers from 0 on.

        Args:
            labels: ``(N,)`` uint8, the class numbers of NIST.
            path: the file of the labels.

        Returns:
            ``(N,)`` int64, indices into ``names``.

        Raises:
            DataError: a label is not among the classes.
        """
        strange = ~np.isin(labels, self.known)
        if strange.any():
            place = int(strange.argmax())
            raise DataError(
                f"{path}: label {place} (the first is 0) is {labels[place]}, which"
                f" {self.path.name} does not name; fetch both again"
            )
        return np.searchsorted(self.known, labels).astype(np.int64)


def classes_of(path: Path) -> Classes | None:
    """Read the classes; None if there is no such file.

    Raises:
        DataError: the file is damaged.
    """
    if not path.is_file():
        return None
    names: dict[int, str] = {}
    lines = read_content(path).decode("latin-1").splitlines()
    for place, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 2 or not all(w.isascii() and w.isdigit() for w in words):
            raise _damaged(path, place)
        number, code = int(words[0]), int(words[1])
        if number in names or number > 255 or not 32 < code < 127:
            raise _damaged(path, place)
        names[number] = chr(code)
    if not names:
        raise DataError(f"{path} names no class; fetch it again, or remove it")
    known = sorted(names)
    return Classes(path, np.array(known), tuple(names[number] for number in known))


def _damaged(path: Path, line: int) -> DataError:
    return DataError(
        f"{path}, line {line}: it must hold a class number and the codes of its"
        " characters, such as 1 65 97; fetch the file again, or remove it"
    )
