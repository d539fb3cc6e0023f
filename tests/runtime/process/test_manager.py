"""The messages of sd_notify(3), read as systemd reads them: datagrams of a socket."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from runtime.process.manager import Manager


@pytest.fixture(params=["a file", "a name"])
def listening(request):
    """Give a manager's socket, and its address as the environment has it."""
    # A Unix socket's path may have 107 bytes, and pytest's folders have long names.
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        if request.param == "a file":
            address = str(Path(folder) / "notify")
            listener.bind(address)
        else:
            listener.bind(f"\0tfaas-test-{os.getpid()}")
            address = f"@tfaas-test-{os.getpid()}"
        listener.settimeout(10)
        yield listener, address


def test_the_manager_hears_of_the_start_the_life_and_the_end(listening):
    listener, address = listening
    manager = Manager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000"})
    manager.serves("2 models")
    manager.lives()
    manager.ends()
    heard = [listener.recv(4096) for _ in range(3)]
    assert heard == [
        b"READY=1\nSTATUS=2 models",
        b"WATCHDOG=1",
        b"STOPPING=1\nSTATUS=ending",
    ]


def test_a_manager_that_watches_nobody_hears_no_signs_of_life(listening):
    listener, address = listening
    manager = Manager({"NOTIFY_SOCKET": address})
    manager.lives()
    manager.ends()
    assert listener.recv(4096).startswith(b"STOPPING=1")


def test_other_processes_cannot_speak_for_the_service():
    environment = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1", "HOME": "/"}
    Manager(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_a_service_without_a_manager_serves_on(environment):
    manager = Manager(dict(environment))
    manager.serves("2 models")
    manager.ends()
