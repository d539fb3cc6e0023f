"""What several packages' tests share."""

import os
import signal
import sys

import pytest

# Before any test imports TensorFlow: a page of its C++ lines would drown pytest's.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A shell starts what is in its background with SIGINT ignored, nohup with SIGHUP, and
# children inherit it: what tests do with Ctrl-C would do nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# These of Python's audit events are a process that starts, or a socket on a port.
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}
started: list[str] = []


def hear(event, arguments):
    if event in STARTS or (event == "socket.bind" and isinstance(arguments[1], tuple)):
        started.append(event)


sys.addaudithook(hear)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """A unit test starts no process and listens on no port, its fixtures included."""
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
def disk():
    """Wait for no disk.

    A process that is killed leaves all that it wrote, synced or not. fsync helps where
    power fails, which no test can show. A test that looks at what is synced has a
    function of its own in this place; the servers' processes have the real one.
    """

    def fsync(file):
        os.fstat(file)  # which refuses what is no open file, as fsync does

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield
