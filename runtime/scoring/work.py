"""The work of one process or thread: chunks become rows of the output."""

from __future__ import annotations

from typing import NamedTuple

from runtime.scoring.chunks import Chunk
from runtime.scoring.columns import columns_of
from runtime.scoring.facts import Facts
from runtime.scoring.forms import Form
from runtime.scoring.scorer import Engine, Scorer


class Written(NamedTuple):
    """The outcome of a chunk.

    Attributes:
        head: the bytes before all rows; empty if no item has scores.
        rows: the rows of the items that have scores.
        scored: the number of these items.
        rejected: the name of each other item, and the reason.
    """

    head: bytes
    rows: bytes
    scored: int
    rejected: list[tuple[str, str]]


class Work:
    """Answers chunks, and writes their rows.

    Args:
        engine: the model.
        facts: the facts about it.
        form: the form of the output.
        kept: the names of the columns that are kept.
    """

    def __init__(
        self, engine: Engine, facts: Facts, form: Form, kept: tuple[str, ...]
    ) -> None:
        self._scorer = Scorer(engine, facts)
        self._facts = facts
        self._form = form
        self._kept = kept

    def __call__(self, chunk: Chunk) -> Written:
        """Answer a chunk.

        Raises:
            AdminError: the model answers no scores.
            DomainError, ClientError: the engine failed.
        """
        scored = self._scorer.score(chunk)
        if scored.scores is None:
            return Written(b"", b"", 0, scored.rejected)
        width = scored.scores.shape[1]
        columns = columns_of(self._facts, self._kept, width)
        numbers = columns.numbers(scored.scores)
        return Written(
            self._form.head(columns, numbers),
            self._form.rows(columns, scored, numbers),
            len(numbers),
            scored.rejected,
        )
