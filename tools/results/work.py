"""A training of docs/results.md: its command, and the place of its figure."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bundle.report import METRICS


@dataclass(frozen=True)
class Work:
    """One row of the table.

    Attributes:
        name: the row's name on the command line.
        title: the row's name in the table.
        command: the command as a user types it.
        read: finds the figure and the details; it gets the folder in which the command
            ran and what the command printed.
        before: commands that make the data set; their time is not counted.
    """

    name: str
    title: str
    command: str
    read: Callable[[Path, str], Result]
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The outcome of one command.

    Attributes:
        figure: the measure on the test part, as text with its name.
        details: the network and how it was trained.
        seconds: the time that the command took, as a whole.
        processor: the processor time of the command and of its children, in seconds.
    """

    figure: str
    details: str
    seconds: float = 0.0
    processor: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Make the entry of results.json."""
        return asdict(self)


def run(work: Work, folder: Path) -> Result:
    """Run the commands of a work in an empty folder.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    for command in work.before:
        _run(command, folder)
    before, started = os.times(), time.monotonic()
    printed = _run(work.command, folder)
    seconds, after = time.monotonic() - started, os.times()
    used = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    result = work.read(folder, printed)
    return replace(result, seconds=round(seconds, 1), processor=round(used, 1))


def _run(command: str, folder: Path) -> str:
    """Run a command with this Python, and return what it printed."""
    print(f"$ {command}", flush=True)
    name, *arguments = shlex.split(command)
    words = ["-m", name, *arguments] if name != "python" else arguments
    root = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return ran.stdout


def metrics(folder: Path, bundle: str) -> dict[str, Any]:
    """Read the metrics.json of a bundle that a command wrote."""
    content: dict[str, Any] = json.loads((folder / bundle / METRICS).read_bytes())
    return content
