"""TensorFlow Serving's own messages and stubs, installed beside this environment."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.end_to_end.kept import kept, run_quietly

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def folder_of_stubs() -> Path:
    """Return the folder that has the stubs; install them if they are missing.

    The package alone is installed: it needs TensorFlow and grpcio, which are here.
    """

    def install(folder: Path) -> None:
        run_quietly(
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--target", str(folder)),
            *("--requirement", str(REQUIREMENTS)),
        )

    return kept("tfs", REQUIREMENTS, install)
