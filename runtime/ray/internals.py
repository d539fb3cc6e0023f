"""Private parts of Ray: the address of Ray Serve, and the lines that Ray prints.

Ray has no public way to either. This file and ``trainer/ray/internals.py`` are the only
ones that name private parts of Ray. pyproject.toml admits the version that was tried,
and ``tests/runtime/ray/test_internals.py`` fails if a version differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def serve_address() -> tuple[str, int]:
    """Return the host and the port at which Ray Serve listens since its start.

    ``serve.start`` ignores another address, and only warns.

    Raises:
        RayServeException: Ray Serve does not run.
    """
    from ray.serve.context import _get_global_client

    client: Any = _get_global_client()
    options = client.http_config
    return options.host, options.port


@contextmanager
def quiet_driver() -> Iterator[None]:
    """Let Ray print nothing on standard output for the time of the block.

    A thread of the driver prints a line for each process or node that is lost, such as
    "(raylet) A worker died". ``log_to_driver`` and the loggers do not decide about it;
    this switch does, which Ray turns while its debugger asks. It holds for this process
    alone, and must be set until ``ray.shutdown`` has ended.
    """
    from ray._private import worker

    before = worker._worker_logs_enabled
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before
