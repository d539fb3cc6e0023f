"""Some clients promise, wait or leave; the real front must still serve the others."""

import hashlib
import json
import resource
import socket
import time

import pytest

from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, serving
from tests.end_to_end.test_server import connect, head
from tests.examples import slow_onnx, write_bundle

TOKEN = {"Authorization": "Bearer secret"}
BEARER = "Authorization: Bearer secret"
LARGE = 32 << 20
SLOW = json.dumps({"model": "slow", "values": [1, 2, 3, 4]}).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Start one process, with one thread for slow requests, and a token."""
    folder = tmp_path_factory.mktemp("door")
    linear, slow = (folder / "models" / name / "1" for name in ("linear", "slow"))
    write_bundle(linear)
    write_bundle(slow, name="slow", onnx_bytes=slow_onnx())
    with (linear / "large.bin").open("wb") as file:
        file.truncate(LARGE)
    digest = hashlib.sha256(b"secret").hexdigest()
    settings = {"verbose": 1, "predictTokens": [digest], "preload": ["*"]}
    (folder / "config.json").write_text(json.dumps(settings))
    with serving(f"{RUNTIME} --workers 1 --threads 1", folder) as server:
        yield server


def get(server, path):
    reply = CLIENT.get(server.url + path, headers=TOKEN)
    reply.raise_for_status()
    return reply


def test_who_may_not_ask_is_answered_at_once_and_holds_nothing(server):
    length = f"Content-Length: {LARGE}"
    clients = []
    for path, status in (
        ("/predict/image", b"401"),
        ("/nosuch", b"404"),
        ("/upload", b"403"),
    ):
        for _ in range(8):
            client = connect(server.url)
            client.sendall(head(path, length, "X-Forwarded-For: 192.0.2.1"))
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 " + status)
            clients.append(client)
    # Clients with a token that send nothing do not lock a large body out either.
    for _ in range(32):
        client = connect(server.url)
        client.sendall(head("/predict/json", length, BEARER))
        clients.append(client)
    body = json.dumps({"model": "linear", "values": [[1, 2, 3, 4]] * 100_000})
    reply = CLIENT.post(
        f"{server.url}/predict/json", content=body, headers=TOKEN, timeout=PATIENCE
    )
    assert reply.status_code == 200
    for client in clients:
        client.close()


def test_downloads_that_nobody_reads_stop_no_other(server):
    clients = []
    for _ in range(70):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        client.sendall(head("/download/linear/large.bin", BEARER, method="GET"))
        clients.append(client)
    for client in clients:
        client.recv(1)  # its turn has come, or it was refused
    assert len(get(server, "/download/linear/large.bin").content) == LARGE
    reply = CLIENT.post(f"{server.url}/upload", content=b"x")
    assert reply.status_code == 400  # the server reads it, and finds no archive
    for client in clients:
        client.close()


def ask_slow(client):
    length = f"Content-Length: {len(SLOW)}"
    client.sendall(head("/predict/json", length, BEARER) + SLOW)


def answered(server):
    wanted = 'route="/predict/json",status="200"'
    lines = get(server, "/metrics").text.splitlines()
    counts = [
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("tfaas_requests_total") and wanted in line
    ]
    return sum(counts)


def test_a_client_that_leaves_is_not_worked_for(server):
    """One request runs and twelve wait; all who wait but the last one leave."""
    with connect(server.url) as first:
        ask_slow(first)  # this loads the model
        assert first.recv(1 << 16).startswith(b"HTTP/1.1 200")
    before = answered(server)
    waiting = [connect(server.url) for _ in range(12)]
    for client in waiting:
        ask_slow(client)
    *leaving, last = waiting
    for client in leaving[1:]:
        client.close()
    assert last.recv(1 << 16).startswith(b"HTTP/1.1 200")
    # Two run: the first and the last. Each takes 0.1 s, in which nearly all have left.
    assert 2 <= answered(server) - before <= 5
    for client in (leaving[0], last):
        client.close()


def test_half_a_head_is_not_waited_for_and_keeps_nobody_out(server):
    many_files()
    clients = [connect(server.url) for _ in range(1100)]
    for client in clients:
        client.sendall(b"GET /li")
    started = time.monotonic()
    get(server, "/livez")
    assert time.monotonic() - started < 5
    assert clients[0].recv(1) == b""
    assert time.monotonic() - started < 20
    for client in clients:
        client.close()


def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4000:
        pytest.skip("this process may not open so many files")
    if soft != resource.RLIM_INFINITY and soft < 4000:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4000, hard))


POST = b"POST /predict/json HTTP/1.1\r\nHost: localhost\r\n"
HIDDEN = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SMUGGLED = {
    "length and chunks": b"Content-Length: %d\r\n" % (len(HIDDEN) + 5)
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks unknown": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks not last": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunks behind a tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 0\r\n\r\n",
    "a length below 0": b"Content-Length: -1\r\n\r\n",
    "a chunk in hex of hex": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "an endless chunk": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
    "unread": b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(HIDDEN),
}


def all_of(server, sent):
    with connect(server.url) as client:
        client.sendall(sent)
        received = b""
        try:
            while piece := client.recv(1 << 16):
                received += piece
        except ConnectionResetError:  # the server did not read the rest
            pass
    return received


def test_nothing_in_a_body_is_a_request(server):
    for name, rest in SMUGGLED.items():
        assert b"alive" not in all_of(server, POST + rest + HIDDEN), name
    assert b"alive" in all_of(server, HIDDEN)


def test_a_head_has_an_end(server):
    many = b"".join(b"X-%d: a\r\n" % number for number in range(200))
    start = HIDDEN[:-2]
    assert b" 431 " in all_of(server, start + many + b"\r\n")[:20]
    long = b"X: " + b"a" * 1_000_000 + b"\r\n\r\n"
    assert b"alive" not in all_of(server, start + long)
    # This is the first line of HTTP/2.
    assert b"alive" not in all_of(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
