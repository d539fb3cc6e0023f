"""The names of signals are those of Python and of a shell."""

import signal
import subprocess
import sys

import pytest

from runtime.process.exit_code import how_it_ended, signal_of


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (-9, "SIGKILL"),
        (128 + 9, "SIGKILL"),
        (-6, "SIGABRT"),
        (128 + 11, "SIGSEGV"),
        (-33, "signal 33"),  # the C library's own, without a name
        (0, ""),
        (1, ""),
        (120, ""),  # the guard's own code
        (128, ""),
        (255, ""),
        (None, ""),
    ],
)
def test_a_signal_has_its_name(code, name):
    assert signal_of(code) == name


def test_the_end_of_a_sentence_says_how():
    assert how_it_ended(-11) == "was ended by SIGSEGV"
    assert how_it_ended(128 + 11) == "was ended by SIGSEGV"
    assert how_it_ended(-9, "killed") == "was killed by SIGKILL"
    assert how_it_ended(3) == "ended with exit code 3"
    assert how_it_ended(0, "killed") == "ended with exit code 0"
    assert how_it_ended(None) == "was killed with its guard"


@pytest.mark.slow
def test_python_and_a_shell_tell_one_signal_in_two_ways():
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    alone = subprocess.run([sys.executable, "-c", kill], check=False)
    by_shell = subprocess.run(
        ["/bin/sh", "-c", f'{sys.executable} -c "{kill}"; exit $?'], check=False
    )
    assert alone.returncode == -signal.SIGTERM
    assert by_shell.returncode == 128 + signal.SIGTERM
    for done in (alone, by_shell):
        assert signal_of(done.returncode) == "SIGTERM"
