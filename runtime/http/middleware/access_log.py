"""The facts of a request for the log, without its body, its query and its tokens."""

from __future__ import annotations

import socket

import falcon

from runtime.http.environ_keys import Environ
from runtime.telemetry.answered import Answered
from runtime.telemetry.logs import monit


def bytes_in(env: Environ) -> int | None:
    """Return the bytes of the request's body; None if the client did not tell them."""
    try:
        length = int(env.get("CONTENT_LENGTH") or -1)
    except ValueError:  # it is no number, and the answer said so already
        return None
    return None if length < 0 else length


def bytes_out(req: falcon.Request, resp: falcon.Response) -> int | None:
    """Return the bytes of the answer's body; None if it is a stream of unknown length.

    ``Render`` has rendered the body before.
    """
    if req.method == "HEAD":
        return 0
    if resp.stream is not None:
        length = resp.get_header("Content-Length")
        return int(length) if length else None
    return len(resp.render_body() or b"")


def log_monit(req: falcon.Request, answered: Answered) -> None:
    """Print CERN MONIT's record, with TFaaS's keys."""
    length = answered.bytes_in or 0
    now = int((answered.ended - answered.seconds) * 1000)
    monit.info(
        {
            # MONIT's team gave TFaaS both values.
            "producer": "cmsweb",
            "type": "auth",
            "timestamp": now,
            "host": socket.gethostname(),
            "data": {
                "method": req.method,
                # TFaaS records the query too, here and in the referer. A query may hold
                # secrets.
                "uri": req.path,
                "api": req.path.rpartition("/")[2],
                "system": "",
                # TFaaS believes the X-Forwarded-For of any client.
                "clientip": answered.client,
                "bytes_in": length,
                "bytes_out": answered.bytes_out or 0,
                "proto": req.env.get("SERVER_PROTOCOL", ""),
                "status": answered.status,
                "content_length": length,
                "referer": (req.referer or "-").partition("?")[0],
                "user_agent": req.user_agent or "",
                "x_forwarded_host": req.get_header("X-Forwarded-Host") or "",
                "x_forwarded_for": req.get_header("X-Forwarded-For") or "",
                "remote_addr": req.remote_addr,
                "request_time": answered.seconds,
                "timestamp": now,
            },
        }
    )
