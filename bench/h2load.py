"""The load of a gRPC server by h2load, of nghttp2."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from bench.errors import BenchError
from bench.round import Sent
from bench.wire import Request

# h2load may take this many seconds more than the load.
_GRACE = 30
_COUNTED = re.compile(
    r"^requests: (?P<total>\d+) total, .* (?P<done>\d+) done,"
    r" (?P<succeeded>\d+) succeeded, (?P<failed>\d+) failed, (?P<errored>\d+) errored,"
    r" (?P<timeout>\d+) timeout$",
    re.MULTILINE,
)


def send(
    port: int, request: Request, connections: int, seconds: int, folder: Path
) -> Sent:
    """Send one gRPC request again and again, by HTTP/2 without TLS.

    h2load sees no grpc-status, because it stands behind the reply. So the caller checks
    a reply before and after.

    Args:
        port: the server's port for gRPC.
        request: the request.
        connections: the number of connections, each with one request at a time.
        seconds: the length of the load.
        folder: a folder for the files of the request and of its times.

    Raises:
        BenchError: h2load is missing, or failed.
    """
    if shutil.which("h2load") is None:
        raise BenchError(
            "there is no h2load; install it: apt-get install nghttp2-client"
        )
    body, times = folder / "body", folder / "times"
    body.write_bytes(request.body)
    times.unlink(missing_ok=True)  # h2load appends
    headers = [f"-H{name}: {value}" for name, value in request.headers.items()]
    try:
        process = subprocess.run(
            [
                "h2load",
                f"-c{connections}",
                "-m1",
                f"-D{seconds}",
                f"-d{body}",
                f"--log-file={times}",
                *headers,
                f"http://127.0.0.1:{port}{request.path}",
            ],
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE,
        )
    except subprocess.TimeoutExpired as ex:
        raise BenchError(f"h2load did not end within {seconds + _GRACE} s") from ex
    if process.returncode:
        raise BenchError(f"h2load failed: {process.stderr.strip() or process.stdout}")
    return parse(process.stdout, times.read_text(), seconds)


def parse(output: str, times: str, seconds: int) -> Sent:
    """Read the figures of h2load.

    Args:
        output: the text that it printed.
        times: its log, with a line for each reply: the time of the request, the status
            and the microseconds to the whole reply, with tabs between them.
        seconds: the length of the load.

    Raises:
        BenchError: h2load printed something else.
    """
    counted = _COUNTED.search(output)
    try:
        lines = [line.split("\t") for line in times.splitlines()]
        took = sorted(int(us) for _, _, us in lines)
        refused = sum(status != "200" for _, status, _ in lines)
    except ValueError as ex:
        raise BenchError(f"h2load's log is not understood: {times[:200]!r}") from ex
    if counted is None:
        raise BenchError(f"h2load's output is not understood: {output[:200]!r}")
    return Sent(
        len(took),
        seconds,
        _percentile(took, 50),
        _percentile(took, 99),
        refused,
        int(counted["errored"]) + int(counted["timeout"]),
    )


def _percentile(took: list[int], share: int) -> float:
    """Give the time below which a share of the requests stayed, in milliseconds."""
    if not took:
        return 0.0
    return took[min(len(took) - 1, len(took) * share // 100)] / 1e3
