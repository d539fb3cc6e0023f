"""The search of each parser finds inputs that cost too much time or memory.

``FUZZ`` and ``FUZZ_SEED`` are as in ``test_fuzz``; each test takes a twentieth.
"""

import os
import subprocess
import sys

import pytest

from tests.fuzz import pieces, slow
from tests.fuzz.run import ROOT
from tests.fuzz.slow import MS_PER_KB, Cost, Parser, costs_of, inputs_of
from tests.fuzz.test_fuzz import COUNT, SEED


@pytest.mark.slow
def test_no_input_costs_more_than_its_size_allows():
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.slow", str(COUNT // 20), str(SEED)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300 + COUNT,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def counting(data):
    """Go over all data once for every 2,000 bytes of it, which takes quadratic time."""
    for _ in range(len(data) // 2000):
        data.count(b"x")


def holding(data):
    """Hold fifty bytes for each byte."""
    return b"x" * 50 * len(data)


@pytest.fixture
def bounds(monkeypatch):
    for name, value in {
        "BASE_SECONDS": 0.05,
        "MS_PER_KB": 0.01,
        "BASE_MB": 20,
        "MB_PER_KB": 0,
    }.items():
        monkeypatch.setattr(slow, name, value)


@pytest.mark.parametrize("read", [counting, holding])
def test_what_costs_more_by_the_byte_is_found(bounds, read):
    parser = Parser("x", read, [pieces.Input(b"", [b"1,"])])
    small, large = costs_of([parser], 0, 1)
    assert (small.size, large.size) == (4_000, 1_000_000)
    assert not small.is_too_much
    assert large.is_too_much


def test_what_costs_as_little_for_each_byte_is_not_found(bounds):
    parser = Parser("x", bytes.decode, [pieces.Input(b"", [b"1,"])])
    assert not any(cost.is_too_much for cost in costs_of([parser], 5, 1))


def test_an_input_is_the_same_for_its_seed():
    whole = pieces.text(b"[1,2]")
    parser = Parser("x", len, [whole])
    first, again, other = (
        [data for _, data in inputs_of([parser], 20, seed)] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_the_bound_grows_with_the_input():
    seconds = 10_000 * MS_PER_KB / 1000
    assert Cost("x", 0, 1_000_000, seconds, 0).is_too_much
    assert not Cost("x", 0, 10_000_000, seconds, 0).is_too_much


def test_pieces_are_the_whole():
    for data, read in (
        (b'{"a":[1,2]}', pieces.text),
        (b"\x0a\1a\x15\0\0\0\0", pieces.message),
        (b"--x\r\nA: b\r\n\r\nc\r\n--x--\r\n", pieces.form),
    ):
        whole = read(data)
        assert whole.joined(whole.pieces) == data
