"""Servers of S3, and a proxy before them that makes the faults of a network."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.end_to_end.conftest import PATIENCE, own_address
from tests.end_to_end.kept import kept, run_quietly

BUCKET = "models"


def program(name: str, command: str) -> Path:
    """Return a program of an environment of its own, which is made if it is missing."""
    requirements = Path(__file__).with_name(f"{name}.txt")

    def install(folder: Path) -> None:
        run_quietly(sys.executable, "-m", "venv", str(folder))
        run_quietly(
            *(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"),
            *("--no-deps", "--disable-pip-version-check"),
            *("--requirement", str(requirements)),
        )

    return kept(name, requirements, install) / "bin" / command


class Process:
    """A server of S3, as a process.

    Attributes:
        host: the address at which it answers.
        port: the port.
        url: both, as a URL.
    """

    def __init__(self, process: subprocess.Popen[str], host: str, port: int) -> None:
        self._process = process
        self.host = host
        self.port = port
        self.url = f"http://{host}:{port}"

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the server answer nothing for the length of a block."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def moto() -> Iterator[Process]:
    """Run moto's server, with an empty bucket."""
    command = [str(program("moto", "moto_server")), "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _when_it_answers(process, r"http://127\.0\.0\.1:(\d+)", "127.0.0.1")
        finally:
            process.kill()


@contextmanager
def seaweedfs(folder: Path) -> Iterator[Process]:
    """Run SeaweedFS, with an empty bucket."""
    host, port = own_address()
    ports = [own_address()[1] for _ in range(3)]
    command = [
        *(str(program("seaweedfs", "weed")), "server", f"-dir={folder}"),
        *(f"-ip={host}", f"-ip.bind={host}", "-filer", "-s3", f"-s3.port={port}"),
        *(f"-master.port={ports[0]}", f"-volume.port={ports[1]}"),
        f"-filer.port={ports[2]}",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            server = _when_it_answers(process, r"Start Seaweed S3 API.*", host, port)
            yield server
        finally:
            process.kill()


def _when_it_answers(
    process: subprocess.Popen[str], line: str, host: str, port: int = 0
) -> Process:
    lines = process.stderr
    assert lines is not None
    for text in lines:
        if found := re.search(line, text):
            break
    else:
        raise AssertionError("the server ended before it answered")
    threading.Thread(target=lines.read, daemon=True).start()
    server = Process(process, host, port or int(found[1]))
    assert put_bucket(server) == 200
    return server


def put_bucket(server: Process) -> int:
    """Make the bucket; return the status."""
    connection = http.client.HTTPConnection(server.host, server.port, PATIENCE)
    connection.request("PUT", f"/{BUCKET}")
    return connection.getresponse().status


class Proxy:
    """A proxy before a server of S3.

    Attributes:
        fault: a function that is called with each request's method, path and headers,
            before it is sent on. It may change the headers. It returns ``pass``;
            ``503``; ``lose``, which sends it on and closes the connection without an
            answer; or ``drop``, which does not send it on either.
    """

    def __init__(self, server: Process) -> None:
        self.fault: Callable[[str, str, dict[str, str]], str] = lambda *_: "pass"
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                proxy._answer(self, server)

            # http.server wants these names.
            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Write no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, server: Process) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        what = self.fault(handler.command, handler.path, headers)
        if what == "drop":
            handler.close_connection = True
            return
        if what == "503":
            handler.send_response(503)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        connection = http.client.HTTPConnection(server.host, server.port, PATIENCE)
        connection.request(handler.command, handler.path, body, headers)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        if what == "lose":
            handler.close_connection = True
            return
        handler.send_response_only(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
