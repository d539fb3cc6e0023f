"""``exporter convert --json``: tell programs the outcome of a conversion."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import click

from bundle.errors import DomainError, StoreError
from bundle.terminal import Failed
from exporter.errors import MemoryLimitReached, TimeLimitReached, WorkFailed

# converted: model.onnx was written and proved. refused: the model, or something else
# that was given, cannot be converted. failed: the work crashed, or a disk refused it.
# too_slow, too_large: a limit ended the work. The service's metric has the same words.
Word = Literal["converted", "refused", "failed", "too_slow", "too_large"]

_WORDS: dict[type[Exception], Word] = {
    TimeLimitReached: "too_slow",
    MemoryLimitReached: "too_large",
    WorkFailed: "failed",
    StoreError: "failed",
    DomainError: "refused",
}


@dataclass(frozen=True)
class Outcome:
    """The outcome of one conversion.

    Attributes:
        outcome: one of ``Word``.
        reason: a sentence; empty where the model was converted.
    """

    outcome: Word
    reason: str = ""

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def outcome_of(error: Exception) -> Outcome:
    """The outcome that an error of the work stands for."""
    word = next(
        (word for kind, word in _WORDS.items() if isinstance(error, kind)), None
    )
    return Outcome(word or "failed", str(error))


def told_as_json(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--json`` to a command, which prints the outcome and nothing else.

    The command gets ``as_json``. If that is true, it must print nothing itself.
    """

    @click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the outcome alone, as one line of JSON.",
    )
    @functools.wraps(command)
    def wrapped(as_json: bool, **given: object) -> None:
        try:
            command(as_json=as_json, **given)
        except (DomainError, Failed) as ex:
            if as_json:
                # The sentence for people may say more than the error that it was made
                # from.
                cause = ex.__cause__ if isinstance(ex, Failed) else ex
                known = cause if isinstance(cause, DomainError) else ex
                click.echo(outcome_of(known))
            raise
        if as_json:
            click.echo(Outcome("converted"))

    return wrapped
