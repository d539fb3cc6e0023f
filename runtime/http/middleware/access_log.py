"""The log's line for each request, without its body, its query and its tokens."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass
from typing import Any

import falcon

from runtime.telemetry.journey import Journey, Stage
from runtime.telemetry.logs import access, log_fields, monit

_STAGES: tuple[Stage, ...] = ("queue", "decode", "infer", "encode")


@dataclass(slots=True)
class Answered:
    """A request whose answer is ready.

    Attributes:
        req: the request.
        resp: its answer.
        journey: the request's journey.
        client: the client's address.
        method: the method in metrics and spans, one of few.
        route: the route's template; ``unknown`` if there is none.
        status: the status code.
        seconds: the time that the request took.
        stages: the seconds that each stage took.
    """

    req: falcon.Request
    resp: falcon.Response
    journey: Journey
    client: str
    method: str
    route: str
    status: int
    seconds: float
    stages: dict[Stage, float]

    @property
    def bytes_out(self) -> int | None:
        """The bytes of the answer's body; None if it is a stream of unknown length."""
        if self.req.method == "HEAD":
            return 0
        if self.resp.stream is not None:
            length = self.resp.get_header("Content-Length")
            return int(length) if length else None
        return len(self.resp.render_body() or b"")


def log_access(answered: Answered, level: int) -> None:
    """Log one line, with the facts that are known."""
    if not access.isEnabledFor(level):
        return
    req, journey = answered.req, answered.journey
    fields: dict[str, Any] = {
        "method": req.method,
        "path": req.path,
        "route": answered.route,
        "status": answered.status,
        "ms": _ms(answered.seconds),
        "client": answered.client,
        "bytes_in": _length(req),
        "bytes_out": answered.bytes_out,
        "model": journey.model,
        "version": journey.version,
        "backend": journey.backend,
        "items": journey.items or None,
    }
    for stage in _STAGES:
        if stage in answered.stages:
            fields[f"{stage}_ms"] = _ms(answered.stages[stage])
    known = {name: v for name, v in fields.items() if v is not None and v != ""}
    log_fields(access, level, known)


def log_monit(answered: Answered) -> None:
    """Print CERN MONIT's record, with TFaaS's keys."""
    if not monit.isEnabledFor(logging.INFO):
        return
    req = answered.req
    client = answered.client
    length = _length(req) or 0
    now = int((time.time() - answered.seconds) * 1000)
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
                "clientip": client,
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


def _ms(seconds: float) -> float:
    # This gives the same as round(…, 3), in a fifth of the time.
    return int(seconds * 1e6 + 0.5) / 1000


def _length(req: falcon.Request) -> int | None:
    try:
        return req.content_length
    except falcon.HTTPError:  # it is no number, and the answer said so already
        return None
