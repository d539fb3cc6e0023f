"""Replies that web pages of other origins may read, by the Fetch standard (CORS).

Falcon has a middleware for this. It would not see the predictions that are answered
without Falcon, nor the replies of the server itself, and it allows all headers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runtime.http.environ_keys import CORS, Environ
from runtime.http.reply import Headers
from runtime.wire.oip.request import HEADER as HEAD_BYTES

# The standard lets a page send some headers anyway, such as Accept. These are the
# others that the service reads, without those that only a proxy or a browser may set.
REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    HEAD_BYTES,
    "X-Request-Id",
    "X-Timeout-Ms",
    "traceparent",
    "tracestate",
)
# A script may read some headers of a reply anyway, such as Content-Type. These are the
# others that the service sends and that tell a script something.
REPLY_HEADERS = (
    "X-Model-Backend",
    "X-Model-Version",
    "X-Request-Id",
    HEAD_BYTES,
    "Retry-After",
    "X-Ratelimit-Limit",
    "X-Ratelimit-Remaining",
    "X-Ratelimit-Reset",
    "WWW-Authenticate",
    "Allow",
    "Content-Disposition",
)
# Chromium keeps the answer to a preflight for so many seconds at most.
MAX_AGE = "7200"
# The setting has this for all origins.
EVERY = "*"

_VARY = ("Vary", "Origin")
_EXPOSE = ("Access-Control-Expose-Headers", ", ".join(REPLY_HEADERS))


def is_preflight(env: Environ) -> bool:
    """Tell whether a browser asks what a page may ask; no token comes with this."""
    return (
        env["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in env
        and "HTTP_ORIGIN" in env
    )


class Cors:
    """Adds the headers by which a browser lets a page read a reply.

    The browser alone refuses a page of another origin. The service answers it like
    everybody, without these headers.

    Args:
        origins: config.json's ``corsOrigins``.
        token_header: the header that holds the client's token.
    """

    def __init__(self, origins: Sequence[str], token_header: str) -> None:
        self._by_origin: dict[str, Headers] = {}
        # A cache must not give one page the reply to another.
        self._others: Headers = (_VARY,)
        if EVERY in origins:
            # No page gets a person's cookies with this.
            self._others = (("Access-Control-Allow-Origin", EVERY), _EXPOSE)
        else:
            for origin in origins:
                self._by_origin[origin] = (
                    _VARY,
                    ("Access-Control-Allow-Origin", origin),
                    # The service has no cookies, but a proxy before it may need them.
                    ("Access-Control-Allow-Credentials", "true"),
                    _EXPOSE,
                )
        asked = dict.fromkeys((token_header, *REQUEST_HEADERS))
        self._of_preflight: Headers = (
            ("Access-Control-Allow-Headers", ", ".join(asked)),
            ("Access-Control-Max-Age", MAX_AGE),
        )

    def begin(
        self, env: Environ, start_response: Callable[..., Any]
    ) -> Callable[..., Any]:
        """Return a ``start_response`` of WSGI that adds the headers of a request.

        A server finds them in the environ, for replies of its own.
        """
        origin = env.get("HTTP_ORIGIN", "")
        more = env[CORS] = self._by_origin.get(origin, self._others)
        may_ask = more != (_VARY,) and is_preflight(env)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            allowed: Headers = ()
            if may_ask:
                # Falcon answers OPTIONS with the methods that the route has.
                methods = [value for name, value in headers if name.lower() == "allow"]
                allowed = (
                    ("Access-Control-Allow-Methods", ", ".join(methods)),
                    *self._of_preflight,
                )
            return start_response(status, [*more, *allowed, *headers], *rest)

        return start
