"""The processor time of real processes is what they themselves say at their end."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from bench import processor

# Each process burns time in its own code and in the kernel, and prints what
# getrusage() says.
BURN = """
import os, resource, subprocess, sys, time
def burn():
    while time.process_time() < 0.3:
        os.stat("/")
def say(*who):
    usages = [resource.getrusage(one) for one in who]
    print(sum(one.ru_utime + one.ru_stime for one in usages), flush=True)
"""
ALONE = "burn(); say(resource.RUSAGE_SELF); sys.stdin.readline()"
# A child that ends and is waited for; then the parent goes on.
WITH_ENDED_CHILD = """
subprocess.run([sys.executable, "-c", sys.argv[1] + "burn()", ""], check=True)
burn()
say(resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
sys.stdin.readline()
"""
# os._exit() spends no time after the last word.
ENDED = "burn(); say(resource.RUSAGE_SELF); os._exit(0)"
# The kernel gives whole ticks of 10 ms. It rounds four figures down: the user and the
# system time of a process, and those of its ended children.
TICKS = 4 / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(script):
    process = subprocess.Popen(
        [sys.executable, "-c", BURN + script, BURN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("script", [ALONE, WITH_ENDED_CHILD])
def test_time_of_descendants_is_what_they_say(script):
    before = processor.of_descendants()
    with started(script) as process:
        said = float(process.stdout.readline())
        found = processor.of_descendants() - before
    assert found == pytest.approx(said, abs=TICKS)
    assert said > (0.6 if script == WITH_ENDED_CHILD else 0.3)


@pytest.mark.slow
def test_child_that_ended_counts_until_this_process_has_waited_for_it():
    descendants = processor.of_descendants()
    ended = processor.of_ended_children()
    with started(ENDED) as process:
        said = float(process.stdout.readline())
        # WNOWAIT leaves it a zombie.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        found = processor.of_descendants() - descendants
        assert found == pytest.approx(said, abs=TICKS)
        assert processor.of_ended_children() == ended
    assert processor.of_descendants() - descendants == pytest.approx(0, abs=TICKS)
    assert processor.of_ended_children() - ended == pytest.approx(said, abs=TICKS)
