"""tests/conftest.py keeps unit tests on their floor, and sets the order of tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONGEST

ROOT = Path(__file__).parents[1]
TESTS = """
import multiprocessing, os, socket, subprocess
import pytest

def test_command():
    subprocess.run(["true"])

def test_fork():
    child = multiprocessing.get_context("fork").Process(target=int)
    child.start()
    child.join()

def test_port():
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))

@pytest.fixture(scope="module")
def command():
    subprocess.run(["true"])

def test_fixture(command):
    pass

@pytest.mark.slow
def test_slow_command():
    subprocess.run(["true"])

def test_alone(tmp_path):
    with socket.socket(socket.AF_UNIX) as ours:
        ours.bind(str(tmp_path / "socket"))
"""


@pytest.mark.slow
def test_only_what_is_marked_slow_may_start_a_process_or_listen(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ["-p", "tests.conftest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line.split("::")[-1] for line in done.stdout.splitlines() if "::" in line]
    names = sorted(name.split()[0] for name in told)
    assert names == ["test_command", "test_fixture", "test_fork", "test_port"], (
        done.stdout + done.stderr
    )
    assert "no unit test: socket.bind; mark it slow" in done.stdout
    assert " 2 passed" in done.stdout


@pytest.mark.parametrize("module", LONGEST)
def test_each_module_that_comes_first_is_there(module):
    assert (ROOT / "tests" / module).is_file()


MARKED = """
import pytest
pytestmark = pytest.mark.tensorflow
raise AssertionError("this module is imported")
"""


@pytest.mark.slow
def test_a_module_is_not_imported_if_all_its_tests_are_left_out(tmp_path):
    (tmp_path / "test_marked.py").write_text(MARKED)
    (tmp_path / "test_plain.py").write_text("def test_it(): pass")
    options = ["-p", "tests.conftest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, tmp_path, "-q"]
    said = [
        subprocess.run(
            [*command, *more], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout
        for more in (["-m", "not slow and not tensorflow"], [])
    ]
    assert "1 passed" in said[0]
    assert "this module is imported" in said[1]
