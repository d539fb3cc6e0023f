"""The load of a server by wrk."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.round import Sent
from bench.wire import Request

_SCRIPT = Path(__file__).with_name("load.lua")
# wrk may wait this many seconds for the last replies.
_GRACE = 30


def send(
    port: int,
    requests: Sequence[tuple[int, Request]],
    connections: int,
    seconds: int,
    folder: Path,
) -> Sent:
    """Send requests by HTTP/1.1; see ``bench.load``.

    Args:
        port: the server's port.
        requests, connections, seconds: see ``bench.load``.
        folder: a folder for the files of the requests.

    Raises:
        BenchError: wrk is missing, or failed.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=10s"]
    url = f"http://127.0.0.1:{port}/"
    written = _written(requests, folder)
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
    return parse(process.stdout)


def parse(output: str) -> Sent:
    """Read the figures that load.lua made wrk print.

    Raises:
        BenchError: the last line is not load.lua's.
    """
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1])
        return Sent(
            found["requests"],
            _positive(found["duration"]) / 1e6,
            found["p50"] / 1e3,
            found["p99"] / 1e3,
            found["status"],
            found["socket"],
        )
    except (LookupError, TypeError, ValueError) as ex:
        raise BenchError(f"wrk's output is not understood: {output[:200]!r}") from ex


def _positive(number: float) -> float:
    if not number > 0:
        raise ValueError
    return number


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
