"""The load of a server by wrk, with wrk's figures and the processor time it took."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import processor
from bench.errors import BenchError
from bench.wire import Request

_SCRIPT = Path(__file__).with_name("load.lua")
# wrk may wait this many seconds for the last replies.
_GRACE = 30


@dataclass(frozen=True)
class Round:
    """One load of one server.

    A processor time is user and system time together, in microseconds. It is None if no
    request was answered, or if nobody measured it.

    Attributes:
        requests_per_second: the requests a second that were answered with 2xx.
        p50_ms: half of the requests took less time.
        p99_ms: 99 of 100 requests took less time.
        errors: answers with another status, and connections that broke or timed out.
        server_us: the processor time of all the server's processes for one request.
        wrk_us: the processor time of wrk for one request.
        limit_us: the processor time of the loop without a server for the images of one
            request, the mean of before and after the load; None if the work has no such
            loop.
    """

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    server_us: float | None = None
    wrk_us: float | None = None
    limit_us: float | None = None

    @property
    def of_limit(self) -> float | None:
        """The processor time of the limit, divided by that of server and wrk."""
        if self.limit_us is None or self.server_us is None or self.wrk_us is None:
            return None
        return self.limit_us / (self.server_us + self.wrk_us)


def load(
    port: int,
    requests: Sequence[tuple[int, Request]],
    connections: int,
    seconds: int,
    folder: Path,
) -> Round:
    """Send requests to a server of this machine as fast as it answers.

    All processes below this one must be the server's, because their processor time
    counts as the server's.

    Args:
        port: the server's port.
        requests: each request with its share in percent.
        connections: the number of connections. Each waits for its answer, and then
            sends the next request.
        seconds: the length of the load.
        folder: a folder for the files of the requests.

    Raises:
        BenchError: wrk is missing, or failed.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=10s"]
    url = f"http://127.0.0.1:{port}/"
    written = _written(requests, folder)
    server, wrk = processor.of_descendants(), processor.of_ended_children()
    try:
        process = subprocess.run(
            [*command, "-s", str(_SCRIPT), url, "--", str(written)],
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE,
        )
    except subprocess.TimeoutExpired as ex:
        raise BenchError(f"wrk did not end within {seconds + _GRACE} s") from ex
    if process.returncode:
        raise BenchError(f"wrk failed: {process.stderr.strip() or process.stdout}")
    return parse(
        process.stdout,
        processor.of_descendants() - server,
        processor.of_ended_children() - wrk,
    )


def parse(output: str, server: float, wrk: float) -> Round:
    """Read the figures that load.lua made wrk print.

    Args:
        output: the output of wrk.
        server: the processor time that the server took for the load, in seconds.
        wrk: the processor time that wrk took, in seconds.

    Raises:
        BenchError: the last line is not load.lua's.
    """
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1])
        status, seconds = found["status"], found["duration"] / 1e6
        return Round(
            round((found["requests"] - status) / seconds, 1),
            found["p50"] / 1e3,
            found["p99"] / 1e3,
            status + found["socket"],
            _us(server, found["requests"]),
            _us(wrk, found["requests"]),
        )
    except (LookupError, TypeError, ValueError, ZeroDivisionError) as ex:
        raise BenchError(f"wrk's output is not understood: {output[:200]!r}") from ex


def _us(seconds: float, requests: int) -> float | None:
    return round(seconds / requests * 1e6, 1) if requests else None


def require_wrk() -> None:
    """Raise BenchError, with advice, if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise BenchError("there is no wrk; install it: apt-get install wrk")


def _written(requests: Sequence[tuple[int, Request]], folder: Path) -> Path:
    """Write the requests as a Lua file for load.lua, with their bodies beside it."""
    parts = []
    for number, (share, request) in enumerate(requests):
        body = folder / f"body-{number}"
        body.write_bytes(request.body)
        headers = ", ".join(
            f"[{json.dumps(name)}] = {json.dumps(value)}"
            for name, value in request.headers.items()
        )
        parts.append(
            f"{{ share = {share}, path = {json.dumps(request.path)},"
            f" body = {json.dumps(str(body))}, headers = {{ {headers} }} }}"
        )
    path = folder / "requests.lua"
    path.write_text(f"return {{ {', '.join(parts)} }}\n")
    return path
