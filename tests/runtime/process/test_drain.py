"""SIGTERM is handled for waitress alone; tests/end_to_end/test_server.py sends it."""

import signal
import sys
import threading

import pytest
import waitress.server

from runtime.process.drain import drain_under_waitress


@pytest.fixture(autouse=True)
def untouched():
    """Set SIGTERM to its default, and restore it afterwards."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def is_taken():
    return signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


def test_sigterm_is_taken_under_waitress():
    assert waitress.server.__name__ in sys.modules
    drain_under_waitress(1)
    assert is_taken()


def test_under_another_server_sigterm_stays(monkeypatch):
    monkeypatch.delitem(sys.modules, "waitress.server")
    drain_under_waitress(1)
    assert not is_taken()


def test_somebodys_own_sigterm_stays():
    def own(*_):
        """Handle a signal, as some program might itself."""

    signal.signal(signal.SIGTERM, own)
    drain_under_waitress(1)
    assert signal.getsignal(signal.SIGTERM) is own


def test_in_another_thread_than_the_main_one_nothing_is_done():
    """Python lets only the main thread handle a signal, and would raise."""
    raised = []

    def drain():
        try:
            drain_under_waitress(1)
        except ValueError as ex:
            raised.append(ex)

    thread = threading.Thread(target=drain)
    thread.start()
    thread.join()
    assert (raised, is_taken()) == ([], False)
