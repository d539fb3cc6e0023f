"""The output of the commands that work on models: lines, JSON, and errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from bundle.errors import DomainError, StoreError
from bundle.terminal import Failed, WrongInput, printable
from runtime.admin.errors import WorkFailed
from runtime.errors import BackendError, Expired, Overloaded, ProviderError, WallsError

# The service answers these errors with 5xx, and their commands exit with 1.
WORK_FAILED = (
    WorkFailed,
    StoreError,
    BackendError,
    Overloaded,
    Expired,
    ProviderError,
    WallsError,
)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors within the block into sentences and exit codes.

    Raises:
        Failed: the work failed; exit code 1.
        WrongInput: the command cannot be done as it was typed; exit code 2.
    """
    try:
        yield
    except WORK_FAILED as ex:
        raise Failed(printable(str(ex))) from ex
    except DomainError as ex:
        raise WrongInput(printable(str(ex))) from ex


def print_json(answer: object) -> None:
    """Print an answer as JSON that moves no cursor."""
    import orjson

    option = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    text = orjson.dumps(answer, default=dict, option=option).decode()
    # orjson leaves characters such as U+009B, which are beyond ASCII and move a cursor.
    kept = (c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    click.echo("".join(kept))


def echo(line: str, err: bool = False) -> None:
    """Print one line, which may hold a foreign text."""
    click.echo(printable(line), err=err)


def say(line: str) -> None:
    """Print a line on standard error, beside the answer."""
    echo(line, err=True)


def print_answer(answer: Mapping[str, object], sentence: str, as_json: bool) -> None:
    """Print the answer to a change as a sentence or as JSON."""
    print_json(answer) if as_json else echo(sentence)
