"""The kernel itself says how much memory a process has."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from runtime.process.memory import give_memory_back, usable_memory

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


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        # docker run --memory 1g makes this: the container sees its own group as the
        # root.
        (
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824"},
            1 << 30,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, None),
        # systemd's MemoryMax= limits the service, or the slice that holds it.
        (
            {
                "proc/self/cgroup": "0::/a.slice/b.service\n",
                "sys/fs/cgroup/a.slice/memory.max": "1048576",
                "sys/fs/cgroup/a.slice/b.service/memory.max": "2097152",
            },
            1 << 20,
        ),
        # Version 1 of cgroups has a hierarchy for each controller.
        (
            {
                "proc/self/cgroup": "5:memory:/docker/0\n4:cpu,cpuacct:/docker/0\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n",
            },
            4096,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            None,
        ),
    ],
)
def test_a_limit_is_less_memory_than_the_machine_has(tmp_path, files, limit):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert usable_memory(tmp_path) == (limit or psutil.virtual_memory().total)
