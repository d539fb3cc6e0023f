"""Clients of other servers, which are installed once and kept in the clone."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.documents import ROOT

FOLDER = ROOT / ".clients"
# pip fetches up to 60 MB.
SECONDS = 600


def kept(name: str, requirements: Path, install: Callable[[Path], None]) -> Path:
    """Return the folder that has some clients; install them if they are missing.

    Several processes of a test run may ask at the same time. The folder is made anew
    when the list of requirements or the Python changes.

    Args:
        name: the folder's name.
        requirements: the list of requirements.
        install: the function that installs them into a folder that is not there yet.
    """
    FOLDER.mkdir(exist_ok=True)
    folder = FOLDER / name
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode())
    # The stamp is written last, so an interrupted installation is no whole one.
    stamp = folder / ".installed"
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted.hexdigest():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        install(folder)
        stamp.write_text(wanted.hexdigest())
    return folder


def run_quietly(*command: str) -> None:
    """Run a command, and fail with its words if it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
