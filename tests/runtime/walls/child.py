"""Python runs in a process of its own, in which walls may be built."""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]


def said_by(script: str, *arguments: str) -> str:
    """Run a script, and return the text that it prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.fspath(_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout
