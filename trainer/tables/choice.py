"""The choice of a table's columns: the label, the weight and the features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainer.errors import DataError
from trainer.tables.source import Source
from trainer.tables.wishes import Wishes

# A column with one of these names is the label, if no other is named.
USUAL_LABELS = ("label", "labels", "target", "class", "y")
# More names would hide the sentence.
_NAMED = 12


@dataclass(frozen=True)
class Choice:
    """The columns that a training takes.

    Attributes:
        label: the column to predict.
        weight: the column of weights; None if there is none.
        features: the columns to predict from, in the model's order.
    """

    label: str
    weight: str | None
    features: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        weight = (self.weight,) if self.weight else ()
        return (*self.features, self.label, *weight)


def choose(source: Source, wishes: Wishes) -> Choice:
    """Find the columns that a person named, or meant.

    Raises:
        DataError: a column is missing, or is named for two things.
    """
    label = wishes.label or source.label or _usual(source)
    weight = wishes.weight
    if weight is None and source.weight not in (label, *wishes.features):
        weight = source.weight
    named = {"--label": (label,), "--features": wishes.features}
    named["--weight"] = (weight,) if weight else ()
    for option, names in named.items():
        for name in names:
            if name not in source.names:
                raise DataError(
                    f"{source.shown} has no column {name!r}, which {option} names; it"
                    f" has {listed(source.names)}"
                )
    used = (label, *named["--weight"])
    if len(set(used)) < len(used) or len(set(wishes.features)) < len(wishes.features):
        raise DataError(
            "--label, --weight and --features name a column twice; name each once"
        )
    for name in wishes.features:
        if name in used:
            raise DataError(
                f"--features names {name!r}, which is the label or the weight; leave it"
                " out there"
            )
    features = wishes.features or tuple(n for n in source.names if n not in used)
    if not features:
        raise DataError(f"{source.shown} has no column to predict {label!r} from")
    for name in wishes.categorical:
        if name not in (*features, label):
            raise DataError(
                f"--categorical names {name!r}, which is no feature here; the features"
                f" are {listed(features)}"
            )
    return Choice(label, weight, features)


def listed(names: Iterable[str]) -> str:
    """List names for a sentence, as far as they fit into it."""
    all_names = [*names]
    more = " and others" if len(all_names) > _NAMED else ""
    return ", ".join(all_names[:_NAMED]) + more


def _usual(source: Source) -> str:
    found = [name for name in source.names if name.lower() in USUAL_LABELS]
    if len(found) != 1:
        raise DataError(
            f"{source.shown}: name the column to predict with --label; there are"
            f" {listed(source.names)}"
        )
    return found[0]
