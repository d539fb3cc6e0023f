"""The output of the three command-line tools: one sentence and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bundle.errors import DomainError, StoreError
from bundle.objects.address import Place, place_of, shown


class Failed(click.ClickException):
    """The work of a command failed: it ends with a sentence on standard error."""

    exit_code = 1


class WrongInput(click.ClickException):
    """The arguments or the files of a command are wrong: it ends with a sentence."""

    exit_code = 2


class StorePlace(click.ParamType[Place]):
    """An argument that names a store: a folder, or the URL of an object store."""

    name = "path"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        """Read the argument."""
        if isinstance(value, Path):
            return value
        if not value:
            self.fail("it is empty", param, ctx)
        try:
            return place_of(value)
        except ValueError as ex:
            self.fail(f"{shown(value)!r} {ex}", param, ctx)


class Group(click.Group):
    """A group of commands that turns errors into sentences and exit codes.

    A ``DomainError`` means wrong input and exits with code 2, unless the command maps
    it otherwise. A ``StoreError`` means that the disk refused, and exits with code 1.
    """

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a domain error becomes its sentence and exit code 2, or 1.

        Ctrl-C and SIGTERM let the command clean up, and end it with the exit code that
        a shell expects: 128 plus the signal's number.
        """
        before = signal.signal(signal.SIGTERM, _exit)
        try:
            return super().invoke(ctx)
        except StoreError as ex:
            raise Failed(str(ex)) from ex
        except DomainError as ex:
            raise WrongInput(str(ex)) from ex
        except OSError as ex:
            if not _is_of_stdout(ex):
                raise
            raise Failed(f"standard output cannot be written: {ex.strerror}") from ex
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(128 + signal.SIGINT)
        finally:
            signal.signal(signal.SIGTERM, before)


def _is_of_stdout(ex: OSError) -> bool:
    """Tell whether the disk refuses the output of a command, because it is full.

    Click itself handles a pipe that nobody reads.
    """
    if ex.errno == errno.EPIPE or ex.filename is not None:
        return False
    try:
        # Python dropped the refused output, so another line shows whether it still is.
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as again:
        # Otherwise Python writes again at its end, and prints its own error.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        return again.errno == ex.errno
    return False


def _exit(number: int, frame: object) -> None:
    sys.exit(128 + number)


def printable(text: str) -> str:
    """Bring a foreign text to one line, without characters that move a cursor."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )


@contextmanager
def quiet_stderr(enabled: bool = True) -> Iterator[None]:
    """Send file descriptor 2 to nowhere during the block; exceptions pass as usual.

    TensorFlow's C++ parts print lines at import that no setting of theirs prevents. The
    descriptor belongs to the whole process, so only processes that do nothing else
    meanwhile may use this.
    """
    if not enabled:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
