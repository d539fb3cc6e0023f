"""Watches each request from its head to its reply: journey, metrics, log and span."""

from __future__ import annotations

import functools
import logging
import random
import re
import time

import falcon

from runtime.errors import InvalidInput
from runtime.http.caller import AddressOf
from runtime.http.environ_keys import ARRIVED, DEADLINE, JOURNEY, REFUSED, Environ
from runtime.http.middleware.access_log import bytes_in, bytes_out, log_monit
from runtime.http.middleware.rate import Rate
from runtime.http.reply import NO_SNIFF
from runtime.telemetry.answered import Answered
from runtime.telemetry.journey import CURRENT, REQUEST_ID, Deadline, Journey, clock
from runtime.telemetry.requests import count_begun, tell
from runtime.telemetry.tracing import HEADERS, RequestSpan, Tracing, attributes_of

_MILLISECONDS = re.compile(r"[1-9][0-9]{0,8}")

# A client may invent any number of methods. OpenTelemetry calls all of them _OTHER.
_METHODS = frozenset(falcon.HTTP_METHODS)
OTHER_METHOD = "_OTHER"
NO_ROUTE = "unknown"

# A call of a named tuple goes through a function in Python, and this one does not.
_answered = functools.partial(tuple.__new__, Answered)


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

    @property
    def is_plain(self) -> bool:
        """Whether ``begin``, ``admit`` and ``end`` do all; no span, record or limit."""
        return not (self._tracing or self._has_monit or self._rate)

    def begin(self, env: Environ) -> Journey:
        """Begin a request's journey, and put it into the environ."""
        given = env.get("HTTP_X_REQUEST_ID")
        journey = env[JOURNEY] = Journey(
            given
            if given and REQUEST_ID.fullmatch(given)
            else f"{random.getrandbits(128):032x}",
            started=env.get(ARRIVED) or clock(),
            # The server tells this deadline when the client leaves, and may have put it
            # there already.
            deadline=env.setdefault(DEADLINE, Deadline()),
        )
        count_begun()
        CURRENT.set(journey)
        return journey

    def admit(self, env: Environ, journey: Journey) -> None:
        """Set the request's deadline.

        Raises:
            InvalidInput: the header X-Timeout-Ms is no number.
            Overloaded, TooSlow: the server refuses the request.
        """
        milliseconds = env.get("HTTP_X_TIMEOUT_MS")
        if milliseconds or self._timeout_ms:
            journey.deadline.at = journey.started + _seconds(
                milliseconds, self._timeout_ms
            )
        if REFUSED in env:
            raise env[REFUSED]

    def end(
        self,
        env: Environ,
        journey: Journey,
        path: str,
        route: str,
        status: int,
        bytes_out: int | None,
    ) -> Answered:
        """Count a request, and log it.

        Args:
            env: the request's environ.
            journey: its journey.
            path: the path that was asked.
            route: the route's template; ``NO_ROUTE`` if there is none.
            status: the reply's status.
            bytes_out: the bytes of the reply's body; None if they are unknown.
        """
        method = env["REQUEST_METHOD"]
        answered = _answered(
            (
                journey.request_id,
                journey.trace_id,
                journey.model,
                journey.version,
                journey.backend,
                journey.items,
                time.time(),
                logging.DEBUG if path in self._quiet else logging.INFO,
                method,
                method if method in _METHODS else OTHER_METHOD,
                path,
                route,
                status,
                clock() - journey.started,
                journey.seconds,
                self._address_of(env),
                bytes_in(env),
                bytes_out,
            )
        )
        tell(answered)
        CURRENT.set(None)
        return answered

    def process_request(
        self, req: falcon.Request, resp: falcon.Response, is_answered: bool = False
    ) -> None:
        """Begin the request's journey, and perhaps its span at ``req.context.span``.

        Args:
            req: the request.
            resp: its answer.
            is_answered: whether Falcon has refused the request already.

        Raises:
            InvalidInput, Overloaded, TooSlow: see ``admit``.
            RateLimited: the client asks too often.
        """
        env = req.env
        journey = self.begin(env)
        req.context.span = None
        if self._tracing and req.path not in self._quiet:
            client = self._address_of(env)
            req.context.span = _start_span(self._tracing, req, client, journey)
        resp.set_headers((("X-Request-Id", journey.request_id), NO_SNIFF))
        if is_answered:
            return
        if self._rate is not None:
            self._rate.check(req, resp)
        self.admit(env, journey)

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,
    ) -> None:
        """Count the request, log it, and end its span."""
        env, context = req.env, req.context
        if JOURNEY not in env:
            # Falcon refuses some methods before it calls any middleware.
            self.process_request(req, resp, is_answered=True)
        journey: Journey = env[JOURNEY]
        answered = self.end(
            env,
            journey,
            req.path,
            route_of(req),
            resp.status_code,
            context.bytes_out if req_succeeded else bytes_out(req, resp),
        )
        if self._has_monit:
            log_monit(req, answered)
        if context.span:
            _end_span(context.span, journey, answered)


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
    headers = {name: value for name in HEADERS if (value := req.get_header(name))}
    return tracing.start(method, journey, headers, attributes)


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
    attributes |= attributes_of(journey)
    span.end(name, journey, attributes, failed=answered.status >= 500)
