"""Damaged bytes, and clients that hang up, kill no worker."""

import os
import random
import socket
import struct
from urllib.parse import urlsplit

from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, serving
from tests.examples import write_bundle
from tests.fuzz.inputs import mutated

COUNT = 300
SEED = int(os.environ.get("FUZZ_SEED", "1"))
BODY = b'{"keys": [], "values": [1, 2, 3, 4], "model": "linear"}'
HEAD = b"POST /predict/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
WHOLE = (
    HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY)
    + BODY
    + b"\r\n0\r\n\r\n",
    b"GET /models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
)


def send(address, data, *, reads):
    """Send data; then end the sending and read the reply, or hang up with a reset."""
    with socket.create_connection(address, timeout=PATIENCE) as client:
        try:
            client.sendall(data)
            if not reads:
                now = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                return b""
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))
        except OSError:  # the server refused it before it read all
            return b""


def test_damaged_bytes_and_clients_that_hang_up_kill_no_worker(tmp_path):
    write_bundle(tmp_path / "models" / "linear" / "1")
    dice = random.Random(SEED)
    with serving(f"{RUNTIME} --workers 2", tmp_path) as server:
        workers = {worker.pid for worker in server.workers()}
        parts = urlsplit(server.url)
        address = (parts.hostname, parts.port)
        for nth in range(COUNT):
            data = mutated(dice.choice(WHOLE), dice)
            reply = send(address, data, reads=dice.random() < 0.7)
            told = f"seed {SEED}, request {nth}: {data!r}: {reply[:500]!r}"
            assert not reply.startswith((b"HTTP/1.1 500", b"HTTP/1.1 502")), told
            assert b"Traceback" not in reply, told
            assert str(tmp_path).encode() not in reply, told
        # These requests are whole, but nobody waits for their replies.
        for data in WHOLE * 20:
            send(address, data, reads=False)
        for _ in range(8):
            url = f"{server.url}/predict/json"
            assert CLIENT.post(url, content=BODY).json() == [1, 2, 7]
        assert {worker.pid for worker in server.workers()} == workers
