"""The failures of a connection, as errors with a sentence."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tfaas_onnx.address import Address
from tfaas_onnx.errors import ClientError, Timeout, Unreachable

CONNECT_SECONDS = 10.0


@contextmanager
def translated(address: Address, seconds: float) -> Iterator[None]:
    """Turn httpx's errors within the block into this package's.

    Args:
        address: the server that is asked.
        seconds: the longest silence that was allowed.

    Raises:
        Timeout, Unreachable: the connection failed.
    """
    try:
        yield
    except httpx.HTTPError as ex:
        raise failure_of(ex, address, seconds) from ex


def failure_of(ex: httpx.HTTPError, address: Address, seconds: float) -> ClientError:
    """Make the error of a connection that failed; see ``translated``."""
    place = address.place
    if isinstance(ex, httpx.ConnectTimeout):
        limit = min(seconds, CONNECT_SECONDS)
        return Unreachable(
            f"{place} does not answer: no connection in {limit:g} seconds",
            # The machine itself has asked several times meanwhile.
            may_pass=False,
        )
    if isinstance(ex, httpx.TimeoutException):
        return Timeout(f"{place} is silent for {seconds:g} seconds")
    if isinstance(ex, httpx.ConnectError):
        return _no_connection(ex, address)
    return Unreachable(
        f"the connection to {place} broke ({ex}); the server, or a proxy, may limit the"
        " size of a request, or want https://",
        was_connected=True,
    )


def _no_connection(ex: Exception, address: Address) -> Unreachable:
    place, cause = address.place, _cause(ex)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            f"the certificate of {place} is not trusted: {cause.verify_message};"
            " cacert names a file with its authority",
            may_pass=False,
        )
    if isinstance(cause, ssl.SSLError):
        return Unreachable(
            f"{place} does not speak TLS; does its URL begin with http://?",
            may_pass=False,
        )
    if isinstance(cause, socket.gaierror):
        return Unreachable(f"there is no host {address.url.host!r}", may_pass=False)
    if isinstance(cause, ConnectionRefusedError):
        return Unreachable(f"nothing listens at {place}; start it with: runtime serve")
    return Unreachable(f"{place} cannot be reached: {ex}")


def _cause(ex: BaseException) -> BaseException | None:
    """Find the error that httpx wrapped, if it is of a kind that can be explained."""
    known = (ssl.SSLError, socket.gaierror, ConnectionRefusedError)
    cause: BaseException | None = ex
    while cause is not None and not isinstance(cause, known):
        cause = cause.__cause__ or cause.__context__
    return cause
