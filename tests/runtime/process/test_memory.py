"""The kernel itself says how much memory a process has."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.process.memory import give_memory_back

ROOT = Path(__file__).resolve().parents[3]
# The script needs a process of its own, whose heap nobody else has filled. Each piece
# is too small to be mapped by itself, and the last piece keeps the heap's end at its
# place.
SCRIPT = """
from runtime.process.memory import give_memory_back

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

pieces = [bytearray(100_000) for _ in range(1000)]
held = resident()
del pieces[:-1]
kept = resident()
give_memory_back()
print(held - kept, kept - resident())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone gives it back")
def test_what_is_free_is_given_back():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    by_itself, when_asked = map(int, done.stdout.split())
    assert by_itself < 10_000_000
    assert when_asked > 80_000_000


def test_another_c_library_keeps_what_it_has(monkeypatch):
    """musl has no such function."""
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert give_memory_back() is None
