"""The rows of a table that can be trained on: each has a label and a weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.tables.choice import Choice
from trainer.tables.gathering import Gathering
from trainer.tables.source import Source
from trainer.tables.wishes import Wishes

# More rows without a label are no oversight.
_MAX_SKIPPED = 0.05


@dataclass(frozen=True)
class Rows:
    """Rows with a label and a weight.

    Attributes:
        features: ``(N,)`` values of each feature, by its name.
        label: ``(N,)`` float64 without NaN, or objects that are texts without "".
        weight: ``(N,)`` float32 without NaN; None if all rows weigh alike.
        part: ``(N,)`` objects: the part that a file's name tells, or "".
    """

    features: dict[str, NDArray[Any]]
    label: NDArray[Any]
    weight: NDArray[np.float32] | None
    part: NDArray[Any]

    def taken(self, chosen: NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        features = {name: values[chosen] for name, values in self.features.items()}
        weight = None if self.weight is None else self.weight[chosen]
        return Rows(features, self.label[chosen], weight, self.part[chosen])


def read_rows(
    sources: Sequence[Source],
    choice: Choice,
    wishes: Wishes,
    shown: str,
    notes: list[str],
) -> Rows:
    """Read all sources, and leave out rows without a label or a weight.

    Args:
        sources: the tables, which are joined.
        choice: the columns.
        wishes: tells the columns that may mix numbers and texts.
        shown: the path, for an error's sentence.
        notes: gets sentences about the rows.

    Raises:
        DataError: a table is damaged, or many rows have no label or weight.
    """
    mixed = frozenset(wishes.categorical)
    gathering = Gathering(exact=(choice.label,))
    parts: list[NDArray[Any]] = []
    for source in sources:
        before = gathering.rows(choice.label)
        for piece in source.read(choice.columns, mixed):
            gathering.add(piece, source.shown, before)
        count = gathering.rows(choice.label) - before
        parts.append(np.full(count, source.part or "", object))
    if not sum(map(len, parts)):
        raise DataError(f"{shown} has no rows; give a table with some")
    label = gathering.column(choice.label)
    is_whole = _filled(label)
    weight = None
    if choice.weight:
        weight = gathering.column(choice.weight)
        if weight.dtype == object:
            raise DataError(
                f"{shown}: the weights in {choice.weight!r} are texts; give numbers"
            )
        is_whole &= _filled(weight)
        weight = weight[is_whole]
    if (skipped := int((~is_whole).sum())) > _MAX_SKIPPED * len(label):
        raise DataError(
            f"{shown}: {skipped} of {len(label)} rows have no label or no weight, the"
            f" first of them row {int((~is_whole).argmax()) + 1}; at most"
            f" {_MAX_SKIPPED:.0%} are skipped, so fill them in or remove them"
        )
    if skipped:
        notes.append(
            f"{skipped} row{'s' if skipped > 1 else ''} without a label or a weight"
            f" {'were' if skipped > 1 else 'was'} skipped"
        )
    features = {n: gathering.column(n)[is_whole] for n in choice.features}
    for name in choice.features:
        if name in gathering.rounded:
            notes.append(
                f"the column {name!r} has whole numbers beyond 2**24, which float32"
                " rounds; if they are names, leave it out by --features"
            )
    part = np.concatenate(parts)[is_whole]
    return Rows(features, label[is_whole], weight, part)


def _filled(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return ``(N,)`` bool, whether each number or text is there."""
    filled: NDArray[np.bool_] = (
        values != "" if values.dtype == object else ~np.isnan(values)
    )
    return filled.astype(bool)
