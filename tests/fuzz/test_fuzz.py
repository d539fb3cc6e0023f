"""Damaged requests go to every route and method, in processes that must live on.

``FUZZ`` is their number and ``FUZZ_SEED`` the seed; ``make fuzz`` sends more.
"""

import os
import subprocess
import sys

import pytest

from tests.fuzz.run import ROOT

COUNT = int(os.environ.get("FUZZ", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))


@pytest.mark.slow
@pytest.mark.parametrize("fuzzer", ["tests.fuzz.run", "tests.fuzz.messages"])
def test_no_damaged_request_is_more_than_refused(fuzzer):
    done = subprocess.run(
        [sys.executable, "-m", fuzzer, str(COUNT), str(SEED)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60 + COUNT,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
