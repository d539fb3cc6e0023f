"""The wishes of a person about a table: its label, weights, features and task."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.samples import Task


@dataclass(frozen=True)
class Wishes:
    """The arguments of ``trainer run`` that a table needs.

    Attributes:
        label: the column to predict; None takes the column of a usual name.
        weight: the column with each row's weight; None weighs all rows alike.
        features: the columns to predict from, in the model's order; empty takes all
            others.
        categorical: columns whose numbers are names of categories.
        task: None takes what the label looks like.
    """

    label: str | None = None
    weight: str | None = None
    features: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    task: Task | None = None
