"""A training that was killed goes on, and gives what an unbroken one gives."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from trainer.data import EMBEDDED

pytestmark = pytest.mark.slow


def _command(data: Path, out: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "trainer", "run", "--fin", str(data), "--no-report"),
        *("--fout", str(out), "--no-onnx", "--epochs", "40", "--batch-size", "20"),
    ]


def _numbers(bundle: Path) -> dict[str, bytes]:
    """Read the bytes of every array in a bundle's model.keras, by its name."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(bundle / "model.keras") as archive:
        stream = io.BytesIO(archive.read("model.weights.h5"))

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item).tobytes()

    with h5py.File(stream) as file:
        file.visititems(add)
    return found


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
    with subprocess.Popen(
        _command(data, out), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 2/"):
                process.kill()
    assert process.returncode == -9
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
    assert "\nresumed after epoch " in resumed
    assert "\nepoch 1/40" not in resumed
    assert "\nepoch 1/40" in unbroken
    weights = _numbers(out)
    # Three layers have weights and offsets, the optimizer has two moments of each of
    # them, a rate and a count, and the dropout a state.
    assert len(weights) >= 6 + 12 + 1
    assert weights == _numbers(tmp_path / "unbroken")
    told = [
        [line for line in text.splitlines() if line.startswith("Test ")]
        for text in (resumed, unbroken)
    ]
    assert len(told[0]) == 2
    assert told[0] == told[1]
    assert [path.name for path in out.parent.iterdir()] == ["m"]
