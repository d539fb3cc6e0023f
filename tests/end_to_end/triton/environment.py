"""The environment of Triton's clients, which is made once and kept in the clone."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.documents import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = ROOT / ".clients"
# pip fetches 60 MB here.
SECONDS = 600


def python_of_triton() -> Path:
    """Return the Python that has Triton's clients; install them if they are missing.

    Several processes of a test run may ask at the same time. The environment is made
    anew when the list of requirements or the Python changes.
    """
    FOLDER.mkdir(exist_ok=True)
    environment = FOLDER / "triton"
    python = environment / "bin" / "python"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode())
    # The stamp is written last, so an interrupted installation is no whole one.
    stamp = environment / ".installed"
    with (FOLDER / "triton.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted.hexdigest():
            return python
        shutil.rmtree(environment, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(environment))
        _run(
            *(str(python), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--requirement", str(REQUIREMENTS)),
        )
        stamp.write_text(wanted.hexdigest())
    return python


def _run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
