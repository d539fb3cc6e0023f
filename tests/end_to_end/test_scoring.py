"""``runtime score`` as a process: it is killed in the middle, and asks a server."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.conftest import ENVIRONMENT, PATIENCE, ROOT, RUNTIME, run, serving
from tests.examples import write_bundle

# The command kills itself with SIGKILL before its third commit. It commits after each
# chunk, and starts processes for a work that is too small for them.
KILLED = """
import os, signal
from runtime.scoring import crew, run, spool
crew._START_SECONDS = 0
run._COMMIT_SECONDS = 0
replace_file = spool.replace_file
left = 3
def replace(path, data):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    replace_file(path, data)
spool.replace_file = replace
if __name__ == "__main__":
    from runtime.cli import main
    main()
"""
SCORE = "score pictures --model linear --batch 8 --workers 2"


@pytest.fixture
def folder(tmp_path):
    write_bundle(tmp_path / "models" / "linear" / "1")
    (tmp_path / "config.json").write_text('{"provider": "cpu"}')
    (tmp_path / "pictures").mkdir()
    for number, pixels in enumerate(
        np.random.default_rng(7).integers(0, 256, (60, 2, 2), np.uint8)
    ):
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number:02}.png")
    (tmp_path / "pictures" / "05.png").write_bytes(b"no picture")
    return tmp_path


def test_a_run_that_is_killed_goes_on_without_a_row_lost_or_doubled(folder):
    (folder / "killed.py").write_text(KILLED)
    # The pipe ends when the processes of the crew have ended, too.
    killed = subprocess.run(
        [sys.executable, "killed.py", *SCORE.split(), "--out", "killed.csv"],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "8 of 60 items" in killed.stderr
    assert sorted(path.name for path in (folder / ".killed.csv.part").iterdir()) == [
        *("journal.json", "rejects", "rows"),
    ]
    again = run(f"runtime {SCORE} --out killed.csv", folder, code=2)
    assert "killed.csv was begun and not finished: go on with --resume" in again
    run(f"runtime {SCORE} --out killed.csv --resume", folder)
    run(f"runtime {SCORE} --out whole.csv --workers 1", folder)
    for ending in (".csv", ".rejects.csv"):
        killed_bytes = (folder / f"killed{ending}").read_bytes()
        assert killed_bytes == (folder / f"whole{ending}").read_bytes()
    assert len((folder / "killed.csv").read_text().splitlines()) == 60
    assert not (folder / ".killed.csv.part").exists()


def test_a_server_gives_the_same_scores(folder):
    with serving(RUNTIME, folder) as server:
        there = run(f"runtime {SCORE} --out there.csv --url {server.url}", folder)
    assert "there.csv: 59 items, 1 rejected (there.rejects.csv)" in there
    run(f"runtime {SCORE} --out here.csv", folder)
    assert (folder / "there.csv").read_bytes() == (folder / "here.csv").read_bytes()
    there = run(f"runtime {SCORE} --out gone.csv --url {server.url}", folder, code=1)
    assert f"{server.url}" in there
    assert not (folder / "gone.csv").exists()


def test_the_measurement_of_scorings_prints_its_ratios(trained):
    command = "python -m bench.scoring mnist --items 100 --rounds 1 --workers 1"
    printed = run(f"PYTHONPATH={ROOT} {command}", trained)
    for kind in ("rows", "pictures"):
        for what in ("items/s", "us of processor an item"):
            assert f"\n{kind}, {what}: loop " in f"\n{printed}"
