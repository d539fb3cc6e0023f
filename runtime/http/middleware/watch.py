"""Watches each request from its head to its reply: journey, metrics, log and span."""

from __future__ import annotations

import logging
import random
import re
import time

import falcon

from runtime.errors import InvalidInput
from runtime.http.caller import AddressOf
from runtime.http.environ_keys import ARRIVED, DEADLINE, REFUSED
from runtime.http.middleware.access_log import bytes_in, bytes_out, log_monit
from runtime.http.middleware.rate import Rate
from runtime.telemetry import logs
from runtime.telemetry.answered import Answered
from runtime.telemetry.journey import CURRENT, Journey, clock
from runtime.telemetry.requests import count_answered, count_begun
from runtime.telemetry.tracing import RequestSpan, Tracing

# The id is copied into the reply, the log and perhaps other systems, so it has few
# kinds of characters.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_MILLISECONDS = re.compile(r"[1-9][0-9]{0,8}")

# A client may invent any number of methods. OpenTelemetry calls all of them _OTHER.
_METHODS = frozenset(falcon.HTTP_METHODS)
OTHER_METHOD = "_OTHER"
NO_ROUTE = "unknown"

# A browser must never take a model's file or name for a page.
_NO_SNIFF = ("X-Content-Type-Options", "nosniff")


def route_of(req: falcon.Request) -> str:
    """Return the route's template; there are few templates, but many paths."""
    return req.uri_template or NO_ROUTE


class Watch:
    """The middleware that sees a request first, and its reply last.

    A streamed reply is watched until its first byte. A request that is refused before
    its route is known is refused here, and so is counted and logged. Falcon would call
    another middleware for each request, and few are refused.

    Args:
        quiet: the paths that machines ask all the time. Requests for them have no span,
            and are logged at DEBUG.
        tracing: the tracing that makes spans; None if it is off.
        timeout_ms: the milliseconds after which a request that still waits is refused;
            0 is never.
        address_of: the function that reads a client's address out of an environ.
        has_monit: whether CERN MONIT's record of each request is printed.
        rate: the limit of each client's requests; None if there is none.
    """

    def __init__(
        self,
        quiet: frozenset[str],
        tracing: Tracing | None,
        timeout_ms: int,
        address_of: AddressOf,
        has_monit: bool = False,
        rate: Rate | None = None,
    ) -> None:
        self._quiet = quiet
        self._tracing = tracing
        self._timeout_ms = timeout_ms
        self._address_of = address_of
        self._has_monit = has_monit
        self._rate = rate

    def process_request(
        self, req: falcon.Request, resp: falcon.Response, is_answered: bool = False
    ) -> None:
        """Begin the request's journey, at ``req.context.journey``.

        Args:
            req: the request.
            resp: its answer.
            is_answered: whether Falcon has refused the request already.

        Raises:
            InvalidInput: the header X-Timeout-Ms is no number.
            RateLimited: the client asks too often.
            Overloaded, TooSlow: the server refuses the request.
        """
        env, context = req.env, req.context
        given = env.get("HTTP_X_REQUEST_ID")
        journey = Journey(
            given
            if given and _REQUEST_ID.fullmatch(given)
            else f"{random.getrandbits(128):032x}"
        )
        context.journey, context.span = journey, None
        if ARRIVED in env:
            journey.started = env[ARRIVED]
        # The server may have put a deadline there; it tells it when the client leaves.
        journey.deadline = env.setdefault(DEADLINE, journey.deadline)
        count_begun()
        if self._tracing and req.path not in self._quiet:
            client = self._address_of(env)
            context.span = _start_span(self._tracing, req, client, journey)
        CURRENT.set(journey)
        resp.set_headers((("X-Request-Id", journey.request_id), _NO_SNIFF))
        if is_answered:
            return
        milliseconds = env.get("HTTP_X_TIMEOUT_MS")
        if milliseconds or self._timeout_ms:
            journey.deadline.at = journey.started + _seconds(
                milliseconds, self._timeout_ms
            )
        if self._rate is not None:
            self._rate.check(req, resp)
        if REFUSED in env:
            raise env[REFUSED]

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,
    ) -> None:
        """Count the request, log it, and end its span."""
        context, method = req.context, req.method
        if not hasattr(context, "journey"):
            # Falcon refuses some methods before it calls any middleware.
            self.process_request(req, resp, is_answered=True)
        journey: Journey = context.journey
        answered = Answered(
            journey.request_id,
            journey.trace_id,
            journey.model,
            journey.version,
            journey.backend,
            journey.items,
            time.time(),
            logging.DEBUG if req.path in self._quiet else logging.INFO,
            method,
            method if method in _METHODS else OTHER_METHOD,
            req.path,
            req.uri_template or NO_ROUTE,
            resp.status_code,
            clock() - journey.started,
            journey.seconds,
            self._address_of(req.env),
            bytes_in(req),
            context.bytes_out if req_succeeded else bytes_out(req, resp),
        )
        count_answered(answered)
        log = logs.request_log
        if answered.level >= log.requests_level:
            log.note(answered)
        if self._has_monit:
            log_monit(req, answered)
        if context.span:
            _end_span(context.span, journey, answered)
        CURRENT.set(None)


def _seconds(given: str | None, most: int) -> float:
    """Return the seconds that a request may take: the client's or the server's limit.

    The smaller one counts.

    Args:
        given: the client's limit in milliseconds; None or empty if there is none.
        most: the server's limit in milliseconds; 0 if there is none.

    Raises:
        InvalidInput: the client's limit is no number.
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


def _end_span(span: RequestSpan, journey: Journey, answered: Answered) -> None:
    method = answered.method
    attributes: dict[str, str | int] = {"http.response.status_code": answered.status}
    # OpenTelemetry's conventions have these names: a span's name must be one of few.
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
