"""The tests of several packages share these fixtures and settings."""

import gc
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# Every run has the same examples, so a failure always comes from the change.
settings.register_profile(
    "project",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("project")

# This must stand before any test imports TensorFlow, whose C++ prints a page of lines.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A shell starts a background job with SIGINT ignored, and nohup starts one with SIGHUP
# ignored. Child processes inherit that, and a Ctrl-C of a test would do nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# These modules give one process the most to do, so they must begin early. The first one
# with servers is the module that trains for the others.
LONGEST = (
    "end_to_end/test_transcript.py",
    "end_to_end/test_export_on_upload.py",
    "end_to_end/test_conversion.py",
    "end_to_end/test_own_model.py",
    "exporter/rewrites/test_matrices.py",
    "end_to_end/test_server.py",
    "end_to_end/test_wire.py",
    "end_to_end/test_kill.py",
    "end_to_end/test_versions.py",
    "exporter/test_export.py",
    "end_to_end/browser/test_cors.py",
    "end_to_end/test_demo.py",
    "end_to_end/test_notebook.py",
    "end_to_end/test_tables.py",
    "end_to_end/test_resume.py",
    "end_to_end/test_watching.py",
    "tools/test_zoo.py",
    "fuzz/test_fuzz.py",
    "trainer/test_cli.py",
    "exporter/test_cli.py",
    "runtime/conversion/test_converter.py",
    "exporter/child/test_run.py",
    "runtime/process/test_guard.py",
    "exporter/rewrites/test_hashing.py",
    "exporter/rewrites/test_convolutions.py",
    "bundle/test_store.py",
    "bundle/test_publication.py",
)

# Tests of this folder share a browser.
BROWSER = "end_to_end/browser/"

# These audit events of Python show that a process starts, or that a socket gets a port.
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}
started: list[str] = []


def hear(event, arguments):
    if event in STARTS or (event == "socket.bind" and isinstance(arguments[1], tuple)):
        started.append(event)


sys.addaudithook(hear)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a process whole modules, so their fixtures are made once.

    The zoo's models share no fixtures. They are dealt out one by one at the end, so
    that no process is idle for long.
    """
    return Modules(config, log)


class Modules(LoadScopeScheduling):
    """Deal out the tests by their modules, and those of the zoo one by one.

    All modules with a browser go to one process, so that it starts once.

    pytest-xdist 3.8 has this as ``--dist loadgroup``, but does not group anything with
    pytest 9.2, which no longer reads the name that xdist changes.
    """

    def _split_scope(self, nodeid):
        module = nodeid.split("::", 1)[0]
        if BROWSER in module:
            return BROWSER
        return nodeid if is_in_zoo(module) else module


def is_in_zoo(module):
    return "zoo/" in module


# Python's collector would look through all tests and all of TensorFlow again and again.
gc.disable()


def pytest_collection_finish():
    """Collect garbage again, but no longer in what lives as long as this process."""
    gc.freeze()
    gc.enable()


# This line marks all tests of a module.
MARKED = re.compile(r"^pytestmark = .*$", re.M)


def pytest_ignore_collect(collection_path, config):
    """Do not import a module for nothing, if ``-m`` leaves out all of its tests.

    Many such modules import TensorFlow.
    """
    expression = config.option.markexpr
    if not re.fullmatch(r"not \w+( and not \w+)*", expression):
        return None
    left_out = re.findall(r"not (\w+)", expression)
    if collection_path.is_dir():
        # The tests of this folder are marked by its conftest.py.
        return (collection_path.name == "end_to_end" and "slow" in left_out) or None
    if not is_module(collection_path):
        return None
    marks = MARKED.findall(collection_path.read_text())
    wholly = [name for name in left_out if any(f"mark.{name}" in m for m in marks)]
    return bool(wholly) or None


def is_module(path):
    return path.suffix == ".py" and path.name.startswith("test_")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Order the tests: the longest first, or in a single process the quickest."""
    if not hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
        return
    turns = {module: turn for turn, module in enumerate(LONGEST)}

    def turn_of(item):
        module = item.path.relative_to(Path(__file__).parent).as_posix()
        return turns.get(module, len(LONGEST) + is_in_zoo(module))

    items.sort(key=turn_of)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Fail a unit test, or its fixture, that starts a process or listens on a port."""
    return (yield from alone(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield from alone(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    return (yield from alone(item))


def alone(item):
    started.clear()
    result = yield
    may = any(map(item.get_closest_marker, ("slow", "tensorflow")))
    if started and not may:
        pytest.fail(
            f"this is no unit test: {', '.join(started)}; mark it slow", pytrace=False
        )
    return result


@pytest.fixture(autouse=True, scope="session")
def unsynced():
    """Replace fsync, so that no test waits for a disk.

    A killed process leaves all that it wrote, synced or not. fsync helps when power
    fails, which no test can show. A test of fsync itself puts its own function in this
    place; the servers' processes have the real one.
    """

    def fsync(file):
        os.fstat(file)  # this refuses a closed file, as fsync does

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield
