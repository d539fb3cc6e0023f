"""A manager such as systemd starts `runtime serve`, and hears of it by sd_notify(3)."""

import re
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psutil

from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, serving
from tests.examples import write_bundle


def hear(listener):
    """Return all messages until the last one; the kernel keeps but ten for a reader."""
    heard = [listener.recv(4096).decode()]
    while "STOPPING" not in heard[-1]:
        heard.append(listener.recv(4096).decode())
    return heard


def test_the_manager_hears_of_the_service_and_the_workers_are_counted(tmp_path):
    write_bundle(tmp_path / "models" / "linear" / "1")
    with (
        # A Unix socket's path may have 107 bytes, and pytest's folders have long names.
        tempfile.TemporaryDirectory() as folder,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener,
        ThreadPoolExecutor() as threads,
    ):
        listener.bind(f"{folder}/notify")
        listener.settimeout(PATIENCE / 5)
        hearing = threads.submit(hear, listener)
        variables = f"NOTIFY_SOCKET={folder}/notify WATCHDOG_USEC=30000000"
        with serving(f"env {variables} {RUNTIME} --workers 1", tmp_path) as server:
            (worker,) = server.workers()
            assert not worker.environ().keys() & {"NOTIFY_SOCKET", "WATCHDOG_USEC"}
            for _ in range(2):
                (worker,) = server.workers()
                worker.kill()
                psutil.wait_procs([worker], PATIENCE)
                # The connection waits until another worker is there.
                shown = CLIENT.get(f"{server.url}/metrics").text
            server.process.terminate()
            assert server.process.wait(PATIENCE) == 0
        heard = hearing.result()
    assert re.search(r"^tfaas_workers_replaced_total 2\.0$", shown, re.MULTILINE)
    assert "WATCHDOG=1" in heard
    first, last = (words for words in heard if words != "WATCHDOG=1")
    assert first.startswith(f"READY=1\nSTATUS=1 model on {server.url}/, 1 worker")
    assert last == "STOPPING=1\nSTATUS=ending"
