"""The columns of a table while its pieces come in, checked and made small."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.tables.source import Piece

# Between whole numbers beyond this, float32 has gaps.
_EXACT = 2**24


class Gathering:
    """Joins the pieces of one table.

    Args:
        exact: the columns whose numbers stay float64: labels, which are compared.

    Attributes:
        rounded: the columns with whole numbers that float32 cannot tell apart.
    """

    def __init__(self, exact: Iterable[str] = ()) -> None:
        self.rounded: set[str] = set()
        self._exact = frozenset(exact)
        self._parts: defaultdict[str, list[NDArray[Any]]] = defaultdict(list)
        self._rows: defaultdict[str, int] = defaultdict(int)
        # Equal texts are one object.
        self._texts: dict[str | None, str] = {None: ""}

    def add(self, piece: Piece, shown: str, first: int) -> None:
        """Add some rows of some columns.

        Args:
            piece: the columns, ``(n,)`` each.
            shown: the table, for an error's sentence.
            first: the number of rows that were added before this table's first.

        Raises:
            DataError: a number is infinite, or a column mixes numbers and texts.
        """
        for name, values in piece.items():
            is_bools = values.dtype.kind == "b" or _hold_bools(values)
            if is_bools and name in self._exact:
                part = _names_of(values)
            elif is_bools:
                part = values.astype(np.float32)
            elif values.dtype.kind in "OU":
                part = self._as_texts(values)
            else:
                part = self._as_numbers(name, values, shown, first)
            before = self._parts[name]
            if part.dtype == object and not _tell(before):
                # The pieces so far had no value, so they told no kind.
                before[:] = [np.full(len(empty), "", object) for empty in before]
            if before and before[-1].dtype != part.dtype:
                raise DataError(
                    f"{shown}: the column {name!r} mixes numbers and texts; row"
                    f" {self._rows[name] - first + 1} begins the other kind"
                )
            before.append(part)
            self._rows[name] += len(part)

    def rows(self, name: str) -> int:
        """Return the number of rows of a column so far."""
        return self._rows[name]

    def column(self, name: str) -> NDArray[Any]:
        """Return a whole column, and forget its pieces.

        Returns:
            ``(N,)`` float32, or float64 if it is exact, NaN where a number is missing;
            or objects that are ``str``, "" where a text is missing.
        """
        parts = self._parts.pop(name, [])
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _as_texts(self, values: NDArray[Any]) -> NDArray[Any]:
        texts = np.empty(len(values), object)
        known = self._texts
        texts[:] = [
            known[v] if v in known else known.setdefault(v, v) for v in values.tolist()
        ]
        return texts

    def _as_numbers(
        self, name: str, values: NDArray[Any], shown: str, first: int
    ) -> NDArray[Any]:
        before = self._rows[name] - first
        infinite = ~np.isfinite(values) & ~np.isnan(values)
        if infinite.any():
            row = before + int(infinite.argmax()) + 1
            raise DataError(
                f"{shown}: row {row} of the column {name!r} is infinite; leave"
                " the cell empty if the number is missing, or remove the row"
            )
        if name in self._exact:
            return values.astype(np.float64)
        with np.errstate(over="ignore"):
            small = values.astype(np.float32)
        if (too_large := np.isinf(small)).any():
            row = before + int(too_large.argmax()) + 1
            raise DataError(
                f"{shown}: row {row} of the column {name!r} is"
                f" {values[too_large][0]:.3g}, too large for float32; scale the column"
            )
        large = np.abs(small) >= _EXACT
        if large.any():
            wide = values[large]
            if (
                (wide == np.floor(wide)) & (wide != small[large].astype(np.float64))
            ).any():
                self.rounded.add(name)
        return small


def _hold_bools(values: NDArray[Any]) -> bool:
    """Tell whether objects are bools, of which some are None."""
    if values.dtype != object:
        return False
    first = next((value for value in values.tolist() if value is not None), None)
    return isinstance(first, bool)


def _names_of(bools: NDArray[Any]) -> NDArray[Any]:
    """Return bools as texts; None becomes ""."""
    names = {True: "true", False: "false", None: ""}
    texts = np.empty(len(bools), object)
    texts[:] = [names[value] for value in bools.tolist()]
    return texts


def _tell(parts: list[NDArray[Any]]) -> bool:
    """Tell whether some pieces of a column show that it holds numbers or texts."""
    return any(part.dtype == object or not np.isnan(part).all() for part in parts)
