"""The begin and the end of each call: its id, deadline, span, metrics and log."""

from __future__ import annotations

import functools
import logging
import random
import time
from typing import NamedTuple

import grpc

from runtime.access.gate import Gate
from runtime.grpc.caller import GrpcCaller
from runtime.grpc.errors import STATUS
from runtime.grpc.methods import Method, Watched
from runtime.telemetry.answered import Answered
from runtime.telemetry.journey import CURRENT, REQUEST_ID, Journey, clock
from runtime.telemetry.requests import count_begun, tell
from runtime.telemetry.tracing import HEADERS, RequestSpan, Tracing, attributes_of

# The method of all calls in log and metrics.
_METHOD = "GRPC"
# grpcio tells a time beyond all others for a call without a deadline.
_NEVER_SECONDS = 1e9
# See ``runtime.http.middleware.watch``.
_answered = functools.partial(tuple.__new__, Answered)


class Call(NamedTuple):
    """A call that has begun, or one message of a stream.

    Attributes:
        path: its path.
        method: its method.
        caller: its caller.
        journey: its journey.
        span: its span; None if it has none.
    """

    path: str
    method: Method | Watched
    caller: GrpcCaller
    journey: Journey
    span: RequestSpan | None


class Journeys:
    """Begins and ends calls.

    Args:
        gate: the gate, which knows a caller's address.
        timeout_ms: the milliseconds after which a call that still waits is refused; 0
            is never.
        tracing: the tracing that makes spans; None if it is off.
    """

    def __init__(self, gate: Gate, timeout_ms: int, tracing: Tracing | None) -> None:
        self._gate = gate
        self._timeout_ms = timeout_ms
        self._tracing = tracing

    def begin(
        self, path: str, method: Method | Watched, context: grpc.ServicerContext
    ) -> Call:
        """Begin a call, or one message of a stream."""
        caller = GrpcCaller(context)
        given = caller.metadata("x-request-id")
        journey = Journey(
            given
            if given and REQUEST_ID.fullmatch(given)
            else f"{random.getrandbits(128):032x}"
        )
        if self._timeout_ms:
            journey.hasten(self._timeout_ms * 1000)
        left = context.time_remaining()
        if left is not None and left < _NEVER_SECONDS:
            journey.hasten(left * 1e6)
        count_begun()
        CURRENT.set(journey)
        span = None
        if self._tracing is not None and not method.is_quiet:
            span = self._start_span(self._tracing, path, caller, journey)
        return Call(path, method, caller, journey, span)

    def _start_span(
        self, tracing: Tracing, path: str, caller: GrpcCaller, journey: Journey
    ) -> RequestSpan:
        service, _, name = path.removeprefix("/").partition("/")
        # OpenTelemetry's conventions have these names.
        attributes: dict[str, str | int] = {
            "rpc.system": "grpc",
            "rpc.service": service,
            "rpc.method": name,
            "client.address": self._gate.address_of(caller),
        }
        headers = {name: value for name in HEADERS if (value := caller.metadata(name))}
        return tracing.start(path.removeprefix("/"), journey, headers, attributes)

    def end(
        self, call: Call, code: grpc.StatusCode, request: bytes, bytes_out: int
    ) -> None:
        """End a call: log it, count it and end its span.

        Args:
            call: the call.
            code: its status.
            request: its message; empty if none came.
            bytes_out: the bytes of its reply.
        """
        path, method, caller, journey, span = call
        tell(
            _answered(
                (
                    journey.request_id,
                    journey.trace_id,
                    journey.model,
                    journey.version,
                    journey.backend,
                    journey.items,
                    time.time(),
                    logging.DEBUG if method.is_quiet else logging.INFO,
                    _METHOD,
                    _METHOD,
                    path,
                    path,
                    STATUS[code],
                    clock() - journey.started,
                    journey.seconds,
                    self._gate.address_of(caller),
                    len(request),
                    bytes_out,
                )
            )
        )
        if span is not None:
            number: int = code.value[0]
            attributes = {"rpc.grpc.status_code": number, **attributes_of(journey)}
            name = path.removeprefix("/")
            span.end(name, journey, attributes, failed=STATUS[code] >= 500)
        CURRENT.set(None)
