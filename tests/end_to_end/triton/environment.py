"""The environment of Triton's clients, which is made once and kept in the clone."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.end_to_end.kept import kept, run_quietly

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def python_of_triton() -> Path:
    """Return the Python that has Triton's clients; install them if they are missing."""

    def install(folder: Path) -> None:
        run_quietly(sys.executable, "-m", "venv", str(folder))
        run_quietly(
            *(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--requirement", str(REQUIREMENTS)),
        )

    return kept("triton", REQUIREMENTS, install) / "bin" / "python"
