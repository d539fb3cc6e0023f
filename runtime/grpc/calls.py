"""The watch over each call: journey, access, limits, deadline, metrics and log."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import grpc

from bundle.errors import DomainError
from runtime.access.gate import Access, Gate
from runtime.errors import Overloaded
from runtime.grpc.caller import GrpcCaller
from runtime.grpc.errors import STATUS, Errors
from runtime.grpc.methods import Method, Watched
from runtime.telemetry.answered import Answered
from runtime.telemetry.journey import CURRENT, REQUEST_ID, Deadline, Journey, clock
from runtime.telemetry.requests import count_begun, tell

if TYPE_CHECKING:
    from runtime.access.limiter import RateLimiter

# The method of all calls in log and metrics.
_METHOD = "GRPC"
# grpcio tells a time beyond all others for a call without a deadline.
_NEVER_SECONDS = 1e9
# A watch looks for a change once in so many seconds.
_LOOK_SECONDS = 0.5


class Calls:
    """Makes the handlers of methods, which watch each call from begin to end.

    Args:
        gate: the gate that decides who may ask.
        limiter: the limit of each client's requests; None if there is none.
        timeout_ms: the milliseconds after which a call that still waits is refused; 0
            is never.
        streams: the most streams at a time, each of which keeps a thread.
    """

    def __init__(
        self, gate: Gate, limiter: RateLimiter | None, timeout_ms: int, streams: int
    ) -> None:
        self._gate = gate
        self._limiter = limiter
        self._timeout_ms = timeout_ms
        self._streams = threading.Semaphore(streams)
        self._errors = Errors()
        self._idle = threading.Condition()
        self._in_hand = 0
        self._is_ending = threading.Event()

    # -- the end -----------------------------------------------------------------------

    def wait_until_idle(self, seconds: float) -> None:
        """End the watches, and wait until no call is being answered.

        A stream that waits for its client's next message is idle.
        """
        self._is_ending.set()
        with self._idle:
            self._idle.wait_for(lambda: not self._in_hand, seconds)

    def _take(self) -> None:
        with self._idle:
            self._in_hand += 1

    def _put_down(self) -> None:
        with self._idle:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.notify_all()

    # -- handlers ----------------------------------------------------------------------

    def handler_of(
        self, service: str, method: Method | Watched
    ) -> grpc.RpcMethodHandler:
        """Make the handler of a method, whose messages are bytes."""
        path = f"/{service}/{method.name}"
        if isinstance(method, Watched):
            return grpc.unary_stream_rpc_method_handler(self._watched(path, method))
        if method.refuse is not None:
            return grpc.stream_stream_rpc_method_handler(self._stream(path, method))
        return grpc.unary_unary_rpc_method_handler(self._unary(path, method))

    def _unary(
        self, path: str, method: Method
    ) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            deadline = Deadline()

            def end() -> None:
                deadline.is_gone = True
                self._put_down()

            self._take()
            # grpcio calls it when the reply has gone, or when the client has left.
            if not context.add_callback(end):
                end()
            caller = GrpcCaller(context)
            journey = self._begin(caller, context, deadline)
            context.set_trailing_metadata((("x-request-id", journey.request_id),))
            try:
                self._admit(method, caller)
                reply = method.answer(request, journey)
            except Exception as ex:
                refusal = self._errors.refusal_of(ex, path)
                self._end(journey, path, method, caller, refusal.code, request, 0)
                context.abort(refusal.code, refusal.sentence)
            ok = grpc.StatusCode.OK
            self._end(journey, path, method, caller, ok, request, len(reply))
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
            self._enter(path, context)
            try:
                for request in requests:
                    self._take()
                    try:
                        yield self._reply(path, method, refuse, request, context)
                    finally:
                        self._put_down()
            finally:
                self._streams.release()

        return answer

    def _reply(
        self,
        path: str,
        method: Method,
        refuse: Callable[[bytes, str], bytes],
        request: bytes,
        context: grpc.ServicerContext,
    ) -> bytes:
        """Answer one message of a stream; a refusal does not end the stream."""
        caller = GrpcCaller(context)
        journey = self._begin(caller, context, Deadline())
        code = grpc.StatusCode.OK
        try:
            self._admit(method, caller)
            reply = method.answer(request, journey)
        except Exception as ex:
            code, sentence = self._errors.refusal_of(ex, path)
            reply = refuse(request, sentence)
        self._end(journey, path, method, caller, code, request, len(reply))
        return reply

    def _watched(
        self, path: str, method: Watched
    ) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
        def answer(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            def waits() -> bool:
                self._is_ending.wait(_LOOK_SECONDS)
                return context.is_active() and not self._is_ending.is_set()

            self._enter(path, context)
            try:
                self._gate.check(method.access, GrpcCaller(context))
                yield from method.follow(request, waits)
            except DomainError as ex:
                context.abort(*self._errors.refusal_of(ex, path))
            finally:
                self._streams.release()

        return answer

    def _enter(self, path: str, context: grpc.ServicerContext) -> None:
        if not self._streams.acquire(blocking=False):
            many = Overloaded("too many streams at once; try again in a moment")
            context.abort(*self._errors.refusal_of(many, path))

    # -- the steps of a call -----------------------------------------------------------

    def _begin(
        self, caller: GrpcCaller, context: grpc.ServicerContext, deadline: Deadline
    ) -> Journey:
        given = caller.metadata("x-request-id")
        journey = Journey(
            given
            if given and REQUEST_ID.fullmatch(given)
            else f"{random.getrandbits(128):032x}",
            deadline=deadline,
        )
        if self._timeout_ms:
            journey.hasten(self._timeout_ms * 1000)
        left = context.time_remaining()
        if left is not None and left < _NEVER_SECONDS:
            journey.hasten(left * 1e6)
        count_begun()
        CURRENT.set(journey)
        return journey

    def _admit(self, method: Method, caller: GrpcCaller) -> None:
        """Check that the client may ask, and does not ask too often.

        Raises:
            Unauthorized, Forbidden, RateLimited: it may not.
        """
        if self._limiter is not None and not method.is_quiet:
            allowance = self._limiter.take(self._gate.address_of(caller))
            if allowance.is_exceeded:
                raise self._limiter.refusal(allowance)
        if method.access is not Access.OPEN:
            self._gate.check(method.access, caller)

    def _end(
        self,
        journey: Journey,
        path: str,
        method: Method,
        caller: GrpcCaller,
        code: grpc.StatusCode,
        request: bytes,
        bytes_out: int,
    ) -> None:
        tell(
            Answered(
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
        CURRENT.set(None)
