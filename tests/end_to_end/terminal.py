"""Commands are typed in a terminal."""

from __future__ import annotations

import os
import pty
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.end_to_end.conftest import ENVIRONMENT, PATIENCE


def on_terminal(
    command: str,
    folder: Path,
    typed: bytes = b"",
    on: bytes = b"[y/N]",
    columns: int = 120,
    more: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Type a command in a terminal, and ``typed`` when ``on`` is seen.

    Returns:
        The exit code, and the text on the terminal.
    """
    process, terminal = pty.fork()
    if not process:
        os.chdir(folder)
        sized = {"TERM": "xterm", "COLUMNS": str(columns)}
        environment = {**ENVIRONMENT, **sized, **(more or {})}
        os.execvpe("bash", ["bash", "-c", f"exec {command}"], environment)
    seen = b""
    limit = threading.Timer(PATIENCE, os.kill, (process, signal.SIGKILL))
    limit.start()
    try:
        while chunk := os.read(terminal, 1 << 16):
            seen += chunk
            if typed and on in seen:
                os.write(terminal, typed)
                typed = b""
    except OSError:  # Linux says so that the other side is closed
        pass
    limit.cancel()
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), seen.decode()
