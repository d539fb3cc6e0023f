"""The watch over each call: journey, access, limits, deadline, metrics and log."""

from __future__ import annotations

import contextlib
import functools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

import grpc

from bundle.errors import DomainError
from runtime.access.gate import Access, Gate
from runtime.errors import Overloaded
from runtime.grpc.arrivals import Arrivals
from runtime.grpc.caller import GrpcCaller
from runtime.grpc.errors import STATUS, Errors
from runtime.grpc.methods import Method, Watched
from runtime.process.drain import DRAINING
from runtime.telemetry.answered import Answered
from runtime.telemetry.journey import CURRENT, REQUEST_ID, Deadline, Journey, clock
from runtime.telemetry.requests import count_begun, tell
from runtime.telemetry.tracing import HEADERS, RequestSpan, Tracing, attributes_of

if TYPE_CHECKING:
    from runtime.access.limiter import RateLimiter

_OK = grpc.StatusCode.OK
_LEFT = grpc.StatusCode.CANCELLED
# The method of all calls in log and metrics.
_METHOD = "GRPC"
# grpcio tells a time beyond all others for a call without a deadline.
_NEVER_SECONDS = 1e9
# See ``runtime.http.middleware.watch``.
_answered = functools.partial(tuple.__new__, Answered)
# A watch looks for a change once in so many seconds.
_LOOK_SECONDS = 0.5


class _Call(NamedTuple):
    """A call that has begun, or one message of a stream."""

    path: str
    method: Method
    caller: GrpcCaller
    journey: Journey
    span: RequestSpan | None


class Calls:
    """Makes the handlers of methods, which watch each call from begin to end.

    Args:
        gate: the gate that decides who may ask.
        limiter: the limit of each client's requests; None if there is none.
        timeout_ms: the milliseconds after which a call that still waits is refused; 0
            is never.
        streams: the most streams at a time, each of which keeps a thread.
        tracing: the tracing that makes spans; None if it is off.
        apart: lets another thread take the place of a stream's.

    Attributes:
        arrivals: the messages for which calls wait.
    """

    def __init__(
        self,
        gate: Gate,
        limiter: RateLimiter | None,
        timeout_ms: int,
        streams: int,
        tracing: Tracing | None = None,
        apart: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._apart = apart
        self._gate = gate
        self._limiter = limiter
        self._timeout_ms = timeout_ms
        self._tracing = tracing
        self._streams = threading.Semaphore(streams)
        self._errors = Errors()
        self.arrivals = Arrivals()

    # -- handlers ----------------------------------------------------------------------

    def handler_of(
        self, service: str, method: Method | Watched
    ) -> grpc.RpcMethodHandler:
        """Make the handler of a method, whose messages are bytes.

        grpcio calls such a handler before the first message has come, so a client that
        may not ask is refused without it.
        """
        path = f"/{service}/{method.name}"
        if isinstance(method, Watched):
            return grpc.stream_stream_rpc_method_handler(self._watched(path, method))
        if method.refuse is not None:
            return grpc.stream_stream_rpc_method_handler(self._stream(path, method))
        return grpc.stream_unary_rpc_method_handler(self._unary(path, method))

    def _unary(
        self, path: str, method: Method
    ) -> Callable[[Iterator[bytes], grpc.ServicerContext], bytes]:
        def answer(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            call = self._begin(path, method, context)
            journey = call.journey
            # grpcio calls it when the client leaves, and when the reply has gone.
            context.add_callback(functools.partial(_leave, journey.deadline))
            context.set_trailing_metadata((("x-request-id", journey.request_id),))
            request = b""
            try:
                self._admit(call)
                request = self.arrivals.only(requests, context)
                reply = method.answer(request, journey)
            except grpc.RpcError:
                self._end(call, _LEFT, request, 0)
                raise
            except Exception as ex:
                refusal = self._errors.refusal_of(ex, path)
                self._end(call, refusal.code, request, 0)
                context.abort(refusal.code, refusal.sentence)
            self._end(call, _OK, request, len(reply))
            return reply

        return answer

    def _stream(
        self, path: str, method: Method
    ) -> Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]:
        refuse = method.refuse
        assert refuse is not None, "it is a stream"

        def answer(
            requests: Iterator[bytes], context: grpc.ServicerContext
        ) -> Iterator[bytes]:
            with self._entered(path, method.access, context):
                for request in self.arrivals.following(requests, context):
                    call = self._begin(path, method, context)
                    yield self._reply(call, refuse, request)

        return answer

    def _reply(
        self, call: _Call, refuse: Callable[[bytes, str], bytes], request: bytes
    ) -> bytes:
        """Answer one message of a stream; a refusal does not end the stream."""
        code = _OK
        try:
            self._admit(call)
            reply = call.method.answer(request, call.journey)
        except Exception as ex:
            code, sentence = self._errors.refusal_of(ex, call.path)
            reply = refuse(request, sentence)
        self._end(call, code, request, len(reply))
        return reply

    def _watched(
        self, path: str, method: Watched
    ) -> Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]:
        def answer(
            requests: Iterator[bytes], context: grpc.ServicerContext
        ) -> Iterator[bytes]:
            def waits() -> bool:
                return not DRAINING.wait(_LOOK_SECONDS) and context.is_active()

            with self._entered(path, method.access, context):
                request = self.arrivals.only(requests, context)
                yield from method.follow(request, waits)

        return answer

    @contextlib.contextmanager
    def _entered(
        self, path: str, access: Access, context: grpc.ServicerContext
    ) -> Iterator[None]:
        """Admit a stream, or refuse it before its first message."""
        is_taken = False
        try:
            self._gate.check(access, GrpcCaller(context))
            is_taken = self._streams.acquire(blocking=False)
            if not is_taken:
                raise Overloaded("too many streams at once; try again in a moment")
            with self._apart():
                yield
        except DomainError as ex:
            context.abort(*self._errors.refusal_of(ex, path))
        finally:
            if is_taken:
                self._streams.release()

    # -- the steps of a call -----------------------------------------------------------

    def _begin(self, path: str, method: Method, context: grpc.ServicerContext) -> _Call:
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
        return _Call(path, method, caller, journey, span)

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

    def _admit(self, call: _Call) -> None:
        """Check that the client may ask, and does not ask too often.

        Raises:
            Unauthorized, Forbidden, RateLimited: it may not.
        """
        method, caller = call.method, call.caller
        if self._limiter is not None and not method.is_quiet:
            allowance = self._limiter.take(self._gate.address_of(caller))
            if allowance.is_exceeded:
                raise self._limiter.refusal(allowance)
        if method.access is not Access.OPEN:
            self._gate.check(method.access, caller)

    def _end(
        self, call: _Call, code: grpc.StatusCode, request: bytes, bytes_out: int
    ) -> None:
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


def _leave(deadline: Deadline) -> None:
    deadline.is_gone = True
