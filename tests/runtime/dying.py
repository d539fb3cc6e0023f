"""A module for tests of the fork server: its process dies before it takes an order."""

import os
from pathlib import Path

# This names a file with one character for each process that is to die. Without it, all
# processes die.
VARIABLE = "DEATHS_LEFT"


def prepare() -> None:
    if VARIABLE in os.environ:
        left = Path(os.environ[VARIABLE])
        deaths = left.read_text()
        if not deaths:
            return
        left.write_text(deaths[1:])
    os._exit(0)


def main(order: str) -> None:
    print(order)
