"""How the three command-line tools speak: one sentence, an exit code, no chatter."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bundle.errors import DomainError, StoreError


class Failed(click.ClickException):
    """Ends a command: the work failed. Its sentence is on standard error."""

    exit_code = 1


class WrongInput(click.ClickException):
    """Ends a command: what was typed or given is wrong."""

    exit_code = 2


class Group(click.Group):
    """Commands whose domain errors are the fault of what was given, unless they say.

    A disk that refuses is nobody's fault: a ``StoreError`` is work that failed.
    """

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a domain error becomes its sentence and exit code 2, or 1.

        Ctrl-C and SIGTERM end it as a shell expects, 128 and the signal, and clean up.
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
    """Whether what a command prints is refused: its file lies on a full disk.

    A pipe that nobody reads is click's own to end on.
    """
    if ex.errno == errno.EPIPE or ex.filename is not None:
        return False
    try:
        # Python forgets what was refused; another line is refused again.
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as again:
        # Else Python tries once more at its end, and says so in its own words.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        return again.errno == ex.errno
    return False


def _exit(number: int, frame: object) -> None:
    sys.exit(128 + number)


def printable(text: str) -> str:
    """A text from elsewhere on one line, with nothing that moves a cursor."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )


@contextmanager
def quiet_stderr(enabled: bool = True) -> Iterator[None]:
    """Send file descriptor 2 nowhere meanwhile; exceptions travel as ever.

    TensorFlow's C++ parts print lines at import that no setting of theirs holds back.
    It is the whole process's descriptor: for command-line tools, not for servers.
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
