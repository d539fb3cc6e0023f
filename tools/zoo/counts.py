"""Counts of a family's models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.zoo.row import BROKEN, CRASHED, PROVED, REFUSED, WRONG, Row


@dataclass(frozen=True)
class Counts:
    """The numbers of a family's models of each kind.

    Attributes:
        names: the number of exported names. A name may have several models:
            ``keras.ops.sum axis`` is another model of ``keras.ops.sum``.
        models: the number of all models.
        proved: models that the exporter converted and proved.
        refused: models that ONNX cannot express, refused with the reason.
        unsolved: models that the exporter should convert or refuse, and does not.
        equal: models that tf2onnx alone converted, and that are proved.
        wrong: models that tf2onnx alone converted, and that answer differently.
        broken: models that tf2onnx alone converted, and that cannot be loaded or run.
        refuses: models that tf2onnx alone refuses to convert.
    """

    names: int
    models: int
    proved: int
    refused: int
    unsolved: int
    equal: int
    wrong: int
    broken: int
    refuses: int


def counts(rows: Sequence[Row]) -> Counts:
    """Count a family, or all families at once."""
    alone = [row.alone.verdict for row in rows]
    as_it_should_be = [row for row in rows if row.is_as_it_should_be]
    proved = sum(not row.refused for row in as_it_should_be)
    return Counts(
        names=len({row.name.split()[0] for row in rows}),
        models=len(rows),
        proved=proved,
        refused=len(as_it_should_be) - proved,
        unsolved=len(rows) - len(as_it_should_be),
        equal=alone.count(PROVED),
        wrong=alone.count(WRONG),
        broken=alone.count(BROKEN) + alone.count(CRASHED),
        refuses=alone.count(REFUSED),
    )
