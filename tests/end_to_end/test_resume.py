"""A training that was killed goes on, and gives what an unbroken one gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.keras_file import numbers_in
from trainer.data import EMBEDDED

pytestmark = pytest.mark.slow


# The process ends itself, because a signal from outside may come after the last epoch.
_KILLED = """
import os, signal
from trainer.checkpoint import Checkpoints
from trainer.cli import main

write = Checkpoints.write

def write_and_end(self, learner, *given):
    write(self, learner, *given)
    if learner.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoints.write = write_and_end
main()
"""


def _arguments(data: Path, out: Path) -> list[str]:
    return [
        *("run", "--fin", str(data), "--fout", str(out), "--no-report", "--no-onnx"),
        *("--epochs", "4", "--batch-size", "20"),
    ]


def _command(data: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "trainer", *_arguments(data, out)]


def test_kill_9_in_the_middle_changes_no_bit(tmp_path: Path) -> None:
    data = tmp_path / "few.npz"
    with np.load(EMBEDDED) as archive:
        parts = {
            f"{part}_{half}": archive[f"{part}_{half}"][:60, ...]
            for part in "xy"
            for half in ("train", "test")
        }
    np.savez(data, **parts)
    (tmp_path / "killed").mkdir()
    out = tmp_path / "killed" / "m"
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, *_arguments(data, out)], capture_output=True
    )
    assert killed.returncode == -9, killed.stderr
    assert [path.name for path in out.parent.iterdir()] == [".training"]

    resumed = subprocess.run(
        [*_command(data, out), "--resume"], capture_output=True, text=True, check=True
    ).stdout
    unbroken = subprocess.run(
        _command(data, tmp_path / "unbroken"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "\nresumed after epoch 2\n" in resumed
    assert [line[:9] for line in resumed.splitlines() if line.startswith("epoch")] == [
        "epoch 3/4",
        "epoch 4/4",
    ]
    assert "\nepoch 1/4" in unbroken
    weights = numbers_in(out)
    # Three layers have weights and offsets, the optimizer has two moments of each of
    # them, a rate and a count, and the dropout a state.
    assert len(weights) >= 6 + 12 + 1
    assert weights == numbers_in(tmp_path / "unbroken")
    told = [
        [line for line in text.splitlines() if line.startswith("Test ")]
        for text in (resumed, unbroken)
    ]
    assert len(told[0]) == 2
    assert told[0] == told[1]
    assert [path.name for path in out.parent.iterdir()] == ["m"]
