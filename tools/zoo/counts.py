"""A family in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.zoo.row import BROKEN, CRASHED, PROVED, REFUSED, WRONG, Row


@dataclass(frozen=True)
class Counts:
    """How many models of a family there are of each kind.

    Attributes:
        names: exported names; ``keras.ops.sum axis`` is one more model of
            ``keras.ops.sum``.
        models: of them.
        proved: converted by the exporter, and proved.
        refused: that ONNX cannot say, refused with the reason.
        unsolved: neither: what the exporter should do and does not.
        equal: converted by tf2onnx alone, and proved.
        wrong: by tf2onnx alone, and answer otherwise.
        broken: by tf2onnx alone, it says, and cannot be loaded or run.
        refuses: that tf2onnx alone says it cannot convert.
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
