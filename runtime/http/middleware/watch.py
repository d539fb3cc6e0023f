"""Watches each request from its head to its reply: journey, metrics, log and span."""

from __future__ import annotations

import logging
import random
import re
import time

import falcon

from runtime.errors import InvalidInput
from runtime.http.caller import AddressOf
from runtime.http.environ_keys import ARRIVED, BEGUN, DEADLINE
from runtime.http.middleware.access_log import Answered, log_access, log_monit
from runtime.telemetry.journey import CURRENT, Journey
from runtime.telemetry.requests import count_answered, count_begun
from runtime.telemetry.tracing import RequestSpan, Tracing

# An id is copied into the reply, the log and perhaps other systems.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_MILLISECONDS = re.compile(r"[1-9][0-9]{0,8}")

# A client may make up methods without end; OpenTelemetry's word for those.
_METHODS = frozenset(falcon.HTTP_METHODS)
OTHER_METHOD = "_OTHER"
NO_ROUTE = "unknown"


def route_of(req: falcon.Request) -> str:
    """The route's template, never the path: there are few of them."""
    return req.uri_template or NO_ROUTE


class Watch:
    """The first to see a request and the last to see its reply.

    A reply that is streamed is watched until its first byte.

    Args:
        quiet: paths that machines ask for all the time: they have no span, and are
            logged at DEBUG.
        tracing: makes spans; none if it is off.
        timeout_ms: that a request may take before it is run; 0 is as long as it takes.
        address_of: a request's client, of its environ.
    """

    def __init__(
        self,
        quiet: frozenset[str],
        tracing: Tracing | None,
        timeout_ms: int,
        address_of: AddressOf,
    ) -> None:
        self._quiet = quiet
        self._tracing = tracing
        self._timeout_ms = timeout_ms
        self._address_of = address_of

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Begin the request's journey, at ``req.context.journey``; or go on with it.

        Raises:
            InvalidInput: it says no number where it says how long it may take.
        """
        env, context = req.env, req.context
        begun = env.get(BEGUN)
        if begun is None:
            given = env.get("HTTP_X_REQUEST_ID")
            journey = Journey(
                given
                if given and _REQUEST_ID.fullmatch(given)
                else f"{random.getrandbits(128):032x}"
            )
            context.journey, context.span = journey, None
            if ARRIVED in env:
                journey.started = env[ARRIVED]
            # The server's, or the one that it will tell later that the client has left.
            journey.deadline = env.setdefault(DEADLINE, journey.deadline)
            count_begun()
            if self._tracing and req.path not in self._quiet:
                client = self._address_of(env)
                context.span = _start_span(self._tracing, req, client, journey)
            env[BEGUN] = journey, context.span
        else:
            # It left the quick lane.
            journey, context.span = begun
            journey.begin_anew()
            context.journey = journey
        CURRENT.set(journey)
        resp.set_header("X-Request-Id", journey.request_id)
        # What a model's file or name holds must never be taken for a page.
        resp.set_header("X-Content-Type-Options", "nosniff")
        milliseconds = env.get("HTTP_X_TIMEOUT_MS")
        if milliseconds or self._timeout_ms:
            journey.deadline.at = journey.started + _seconds(
                milliseconds, self._timeout_ms
            )

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,
    ) -> None:
        """Count it, log it, and end its span."""
        context = req.context
        if not hasattr(context, "journey"):
            # Falcon refuses some methods before it asks any middleware.
            self.process_request(req, resp)
        journey: Journey = context.journey
        answered = Answered(
            req,
            resp,
            journey,
            self._address_of(req.env),
            _method(req),
            route_of(req),
            resp.status_code,
            time.perf_counter() - journey.started,
            journey.seconds,
        )
        count_answered(answered)
        log_access(answered, logging.DEBUG if req.path in self._quiet else logging.INFO)
        log_monit(answered)
        if context.span:
            _end_span(context.span, answered)
        CURRENT.set(None)


def _seconds(given: str | None, most: int) -> float:
    """What a request may take: what its client says, or the server, whichever is less.

    Raises:
        InvalidInput: the client says no number.
    """
    if not given:
        return most / 1000
    if not _MILLISECONDS.fullmatch(given):
        raise InvalidInput(
            f"X-Timeout-Ms is {given[:32]!r}; it must be a whole number of milliseconds"
        )
    return min(int(given), most or int(given)) / 1000


def _method(req: falcon.Request) -> str:
    return req.method if req.method in _METHODS else OTHER_METHOD


def _start_span(
    tracing: Tracing, req: falcon.Request, client: str, journey: Journey
) -> RequestSpan:
    method = _method(req)
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "url.scheme": req.scheme,
        "url.path": req.path,
        "client.address": client,
        "network.protocol.version": req.env.get("SERVER_PROTOCOL", "").partition("/")[
            2
        ],
    }
    if method == OTHER_METHOD:
        attributes["http.request.method_original"] = req.method
    if req.user_agent:
        attributes["user_agent.original"] = req.user_agent
    names = ("traceparent", "tracestate")
    headers = {name: value for name in names if (value := req.get_header(name))}
    return tracing.start(journey, headers, attributes)


def _end_span(span: RequestSpan, answered: Answered) -> None:
    method = answered.method
    journey = answered.journey
    attributes: dict[str, str | int] = {"http.response.status_code": answered.status}
    # The conventions' own words: a name must be one of few.
    name = "HTTP" if method == OTHER_METHOD else method
    if answered.route != NO_ROUTE:
        attributes["http.route"] = answered.route
        name = f"{name} {answered.route}"
    if answered.status >= 500:
        attributes["error.type"] = str(answered.status)
    if journey.model:
        attributes["tfaas.model"] = journey.model
    if journey.version is not None:
        attributes["tfaas.version"] = journey.version
    if journey.backend:
        attributes["tfaas.backend"] = journey.backend
    span.end(name, journey, attributes, failed=answered.status >= 500)
