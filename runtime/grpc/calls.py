"""The watch over each call: access, its message, and its answer or its refusal."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import grpc

from runtime.access.gate import Access, Gate
from runtime.grpc.arrivals import Arrivals
from runtime.grpc.caller import GrpcCaller
from runtime.grpc.errors import Errors
from runtime.grpc.journeys import Call, Journeys
from runtime.grpc.methods import Method, Watched
from runtime.grpc.places import Places
from runtime.process.drain import DRAINING
from runtime.telemetry.journey import Deadline
from runtime.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from runtime.access.limiter import RateLimiter

_OK = grpc.StatusCode.OK
_LEFT = grpc.StatusCode.CANCELLED
# A watch looks for a change once in so many seconds.
_LOOK_SECONDS = 0.5


class Calls:
    """Makes the handlers of methods, which watch each call from begin to end.

    Args:
        gate: the gate that decides who may ask.
        limiter: the limit of each client's requests; None if there is none.
        timeout_ms: the milliseconds after which a call that still waits is refused; 0
            is never.
        places: the places of calls that wait for their clients.
        tracing: the tracing that makes spans; None if it is off.
        arrivals: the messages for which calls wait; None if only these calls do.

    Attributes:
        arrivals: the messages for which calls wait.
    """

    def __init__(
        self,
        gate: Gate,
        limiter: RateLimiter | None,
        timeout_ms: int,
        places: Places,
        tracing: Tracing | None = None,
        arrivals: Arrivals | None = None,
    ) -> None:
        self._gate = gate
        self._limiter = limiter
        self._journeys = Journeys(gate, timeout_ms, tracing)
        self._places = places
        self._errors = Errors()
        self.arrivals = arrivals or Arrivals()

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
            call = self._journeys.begin(path, method, context)
            journey = call.journey
            # grpcio calls it when the client leaves, and when the reply has gone.
            context.add_callback(functools.partial(_leave, journey.deadline))
            context.set_trailing_metadata((("x-request-id", journey.request_id),))
            request = b""
            try:
                self._admit(method, call.caller)
                with self._places.of_call(method.access):
                    request = self.arrivals.only(requests, context)
                    reply = method.answer(request, journey)
            except grpc.RpcError:
                self._journeys.end(call, _LEFT, request, 0)
                raise
            except Exception as ex:
                refusal = self._errors.refusal_of(ex, path)
                self._journeys.end(call, refusal.code, request, 0)
                context.abort(refusal.code, refusal.sentence)
            self._journeys.end(call, _OK, request, len(reply))
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
            latest = _Latest()
            context.add_callback(latest.leave)
            with self._entered(path, method, context):
                for request in self.arrivals.following(requests, context):
                    call = self._journeys.begin(path, method, context)
                    latest.deadline = call.journey.deadline
                    yield self._reply(call, method, refuse, request)

        return answer

    def _reply(
        self,
        call: Call,
        method: Method,
        refuse: Callable[[bytes, str], bytes],
        request: bytes,
    ) -> bytes:
        """Answer one message of a stream; a refusal does not end the stream."""
        code = _OK
        try:
            self._admit(method, call.caller)
            reply = method.answer(request, call.journey)
        except Exception as ex:
            code, sentence = self._errors.refusal_of(ex, call.path)
            reply = refuse(request, sentence)
        self._journeys.end(call, code, request, len(reply))
        return reply

    def _watched(
        self, path: str, method: Watched
    ) -> Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]:
        def answer(
            requests: Iterator[bytes], context: grpc.ServicerContext
        ) -> Iterator[bytes]:
            def waits() -> bool:
                return not DRAINING.wait(_LOOK_SECONDS) and context.is_active()

            with self._entered(path, method, context):
                request = self.arrivals.only(requests, context)
                yield from method.follow(request, waits)

        return answer

    @contextlib.contextmanager
    def _entered(
        self, path: str, method: Method | Watched, context: grpc.ServicerContext
    ) -> Iterator[None]:
        """Admit a stream, or refuse it before its first message."""
        try:
            self._admit(method, GrpcCaller(context))
            with self._places.of_stream(method.access):
                yield
        except grpc.RpcError:
            raise
        except Exception as ex:
            # Only its messages are counted and logged, if it has any.
            call = self._journeys.begin(path, method, context)
            refusal = self._errors.refusal_of(ex, path)
            self._journeys.end(call, refusal.code, b"", 0)
            context.abort(refusal.code, refusal.sentence)

    def _admit(self, method: Method | Watched, caller: GrpcCaller) -> None:
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


class _Latest:
    """The deadline of a stream's message in hand.

    A callback for each message would stay in memory until the stream's end.
    """

    def __init__(self) -> None:
        self.deadline: Deadline | None = None

    def leave(self) -> None:
        """Note that the client has left, so that the message is not run any more."""
        if self.deadline is not None:
            _leave(self.deadline)


def _leave(deadline: Deadline) -> None:
    deadline.is_gone = True
