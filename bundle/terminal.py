"""How the three command-line tools speak: one sentence, an exit code, no chatter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

# The field's custom: 1 the work failed, 2 what was typed or given is wrong.
FAILED = 1
WRONG_INPUT = 2


class Failure(click.ClickException):
    """Ends a command: its sentence on standard error, and its exit code."""

    def __init__(self, sentence: object, exit_code: int) -> None:
        super().__init__(str(sentence))
        self.exit_code = exit_code


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
