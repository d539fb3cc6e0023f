"""The errors of a client, each with the server's own sentence.

* ClientError
  x WrongArgument      an argument of ``Client`` or of a method cannot be used
  x Refused            the server refused the request: 4xx
    x InvalidInput     the model does not take such an input: 400, 413, 415, 422
    x Unauthorized     the request needs a token, and has none or a wrong one: 401
    x Forbidden        no token could admit the request: 403
    x NotFound         there is no such model, version or label: 404
    x Conflict         the request contradicts the store's state: 409
    x TooManyRequests  the client asks more often than it may: 429
  x ServerError        the server failed: 5xx
    x Unavailable      the server, or a proxy in front of it, takes no requests: 503
  x Timeout            no answer came in time: 408, 504, or silence
  x Unreachable        there is no connection to the server, or it broke
  x NotAService        another program answers at this address
"""

from __future__ import annotations


class ClientError(Exception):
    """A call that was not answered; its text is a sentence for people.

    Attributes:
        status: the reply's HTTP status; None if there was no reply.
        request_id: the id under which the server's log has the request; empty if it
            told none.
        retry_after: the seconds after which the server wants to be asked again; None if
            it told none.
        is_proxys: whether the reply has no sentence of the service, so that it comes
            from a proxy.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int | None = None,
        request_id: str = "",
        retry_after: float | None = None,
        is_proxys: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.is_proxys = is_proxys
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class WrongArgument(ClientError, ValueError):
    """An argument cannot be used; nothing was sent.

    Attributes:
        argument: the argument's name.
        problem: the sentence without that name.
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument
        self.problem = problem


class Refused(ClientError):
    """The server refused the request."""


class InvalidInput(Refused):
    """The model, or the route, does not take such an input."""


class Unauthorized(Refused):
    """The request needs a token, and has none or a wrong one."""


class Forbidden(Refused):
    """No token could admit the request."""


class NotFound(Refused):
    """There is no such model, version or label."""


class Conflict(Refused):
    """The request contradicts the store's state."""


class TooManyRequests(Refused):
    """The client asks more often than the server allows."""


class ServerError(ClientError):
    """The server failed."""


class Unavailable(ServerError):
    """The server, or a proxy in front of it, takes no requests at the moment."""


class Timeout(ClientError):
    """No answer came in time; the server may still do the work."""


class Unreachable(ClientError):
    """There is no connection to the server, or it broke.

    Attributes:
        was_connected: whether there was a connection, so that the server may have got
            the request.
        may_pass: whether the reason may go away by itself. An unknown host, or a
            certificate that is not trusted, stays.
    """

    def __init__(
        self, sentence: str, *, was_connected: bool = False, may_pass: bool = True
    ) -> None:
        super().__init__(sentence)
        self.was_connected = was_connected
        self.may_pass = may_pass


class NotAService(ClientError):
    """Another program answers at this address, or a wrong ``base`` was asked."""
