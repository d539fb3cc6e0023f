"""The models of a server, over HTTP."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx

from bundle import __version__
from runtime.admin import TOKEN_VARIABLE, Description, Transfer, reply
from runtime.admin.errors import AdminError, Refused, ServerFailed, Unreachable

_CONNECT_SECONDS = 10.0
# The longest silence between two bytes. A server answers an upload after it has loaded
# the model; TensorFlow takes minutes for a large one.
_READ_SECONDS = 300.0

# The most bytes of a reply that is read whole; a params.json may have a megabyte.
MAX_REPLY_BYTES = 1 << 26

# RFC 6750 allows fewer characters in a token.
_TOKEN = re.compile(r"[!-~]+")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")

_LIST = "/models"
_ARCHIVE_TYPE = "application/gzip"


@contextmanager
def connect(
    url: str,
    cacert: Path | None = None,
    token: str = "",
    token_header: str = "Authorization",
) -> Iterator[RemoteAdmin]:
    """Give the models of the server at ``url`` during the block.

    Args:
        url: the server's URL as in a browser, with its ``base`` if it has one.
        cacert: PEM file with the authorities to trust, in place of the system's.
        token: the token that the service asks for; empty is none. No redirect is
            followed, so that no other server gets the token.
        token_header: the header that carries the token.

    Raises:
        AdminError: ``url``, ``cacert``, ``token`` or ``token_header`` cannot be used.
    """
    headers = {"User-Agent": f"tfaas-onnx/{__version__}"}
    if token:
        if not _TOKEN.fullmatch(token):
            raise AdminError("the token has characters that no token may have")
        if not _HEADER.fullmatch(token_header):
            raise AdminError(f"{token_header[:64]!r} is no header's name")
        headers[token_header] = f"Bearer {token}"
    with httpx.Client(
        base_url=_checked(url),
        verify=_context(cacert) if cacert else True,
        timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
        headers=headers,
    ) as client:
        yield RemoteAdmin(client)


class RemoteAdmin:
    """The models of the server that ``client.base_url`` names; see ``Admin``.

    Every method raises ``Refused``, ``ServerFailed`` or ``Unreachable``.

    Args:
        client: the client that asks the server.
        max_reply_bytes: the most bytes of a reply that is read whole.
    """

    def __init__(
        self, client: httpx.Client, max_reply_bytes: int = MAX_REPLY_BYTES
    ) -> None:
        self._client = client
        self._max_reply_bytes = max_reply_bytes
        # A URL may hold a password, which no sentence may show.
        url = client.base_url.copy_with(username=None, password=None)
        self.place = str(url).rstrip("/")

    def models(self) -> list[Description]:
        """See ``Admin``."""
        return cast("list[Description]", self._call("GET", _LIST, reply.LISTED))

    def model(self, name: str) -> Description:
        """See ``Admin``."""
        return self._ask("GET", f"/models/{name}", reply.MODEL)

    def version(self, name: str, number: int) -> Description:
        """See ``Admin``."""
        return self._ask("GET", f"/models/{name}/{number}", reply.VERSION)

    def publish(self, archive: Transfer) -> Description:
        """See ``Admin``."""
        headers = {"Content-Type": "application/octet-stream"}
        if archive.length is not None:
            headers["Content-Length"] = str(archive.length)
        return self._ask(
            "POST",
            "/upload",
            reply.PUBLISHED,
            content=archive.chunks,
            headers=headers,
        )

    @contextmanager
    def bundle(self, name: str, number: int) -> Iterator[Transfer]:
        """See ``Admin``."""
        path = f"/models/{name}/{number}/bundle"
        # A proxy that compresses it once more would hide its length.
        headers = {"Accept-Encoding": "identity"}
        with (
            self._translated(),
            self._client.stream("GET", path, headers=headers) as answer,
        ):
            if not answer.is_success:
                raise self._error(answer, self._read(answer))
            if answer.headers.get("Content-Type") != _ARCHIVE_TYPE:
                raise self._stranger(f"{path} is no archive")
            length = answer.headers.get("Content-Length", "")
            yield Transfer(
                answer.iter_bytes(), int(length) if length.isdecimal() else None
            )

    def delete(self, name: str) -> Description:
        """See ``Admin``."""
        return self._ask("DELETE", f"/delete/{name}", reply.DELETED)

    def delete_version(self, name: str, number: int) -> Description:
        """See ``Admin``."""
        return self._ask("DELETE", f"/models/{name}/{number}", reply.DELETED_VERSION)

    def set_label(self, name: str, label: str, number: int) -> Description:
        """See ``Admin``."""
        path = f"/models/{name}/labels/{label}"
        return self._ask("PUT", path, reply.LABEL, json={"version": number})

    def delete_label(self, name: str, label: str) -> Description:
        """See ``Admin``."""
        path = f"/models/{name}/labels/{label}"
        return self._ask("DELETE", path, reply.LABEL)

    def _ask(
        self, method: str, path: str, shape: reply.Fields, **request: Any
    ) -> Description:
        return cast("Description", self._call(method, path, shape, **request))

    def _call(
        self, method: str, path: str, shape: reply.Shape, **request: Any
    ) -> object:
        """Ask the server, and check the parts of its answer that the commands read."""
        with (
            self._translated(),
            self._client.stream(method, path, **request) as answer,
        ):
            body = self._read(answer)
        if not answer.is_success:
            raise self._error(answer, body)
        content = _json(body)
        if problem := reply.find_problem(content, shape):
            raise self._stranger(f"it answered {method} {path} {problem}")
        return content

    def _read(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > self._max_reply_bytes:
                path = answer.request.url.path
                raise self._stranger(
                    f"it answered {path} with more than {self._max_reply_bytes} bytes"
                )
        return bytes(body)

    def _error(self, answer: httpx.Response, body: bytes) -> Refused | ServerFailed:
        """Make the error of a failed answer, with the server's sentence if it has one.

        Only a server of this project gives a sentence.
        """
        content = _json(body)
        failed = answer.status_code >= 500
        if answer.status_code == 404:
            if answer.request.url.path.endswith(_LIST):
                return self._stranger(f"it has no {answer.request.url.path}")
            # A URL without the server's 'base' gets 404 on every route. Then the list
            # of models gets it too, and this raises the sentence about the 'base'.
            self.models()
        if isinstance(content, dict) and isinstance(content.get("error"), str):
            sentence = content["error"]
            if answer.status_code == 401:
                sentence += (
                    f"; the command reads it from ${TOKEN_VARIABLE} or --token-file"
                    " FILE"
                )
            return (ServerFailed if failed else Refused)(sentence)
        status = f"{answer.status_code} {answer.reason_phrase}".strip()
        if answer.is_redirect:
            there = answer.headers.get("Location", "another address")
            return Refused(f"{self.place} redirects to {there}; give that as --server")
        if failed:
            return ServerFailed(
                f"{self.place} answered {status}, as a proxy does in front of a service"
                " that is down"
            )
        return Refused(
            f"{self.place} answered {status}: a proxy, or the server itself, does not"
            " take this request"
        )

    def _stranger(self, why: str) -> Refused:
        return Refused(
            f"{self.place} is no tfaas-onnx service: {why}; the URL must end with the"
            " service's 'base', if it has one"
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout as ex:
            raise Unreachable(
                f"{self.place} does not answer: no connection in"
                f" {_CONNECT_SECONDS:g} seconds"
            ) from ex
        except httpx.TimeoutException as ex:
            raise Unreachable(
                f"{self.place} is silent for {_READ_SECONDS:g} seconds; it may still"
                " do the work: look with 'runtime models list'"
            ) from ex
        except httpx.ConnectError as ex:
            raise Unreachable(self._no_connection(ex)) from ex
        except httpx.HTTPError as ex:
            raise Unreachable(
                f"the connection to {self.place} broke ({ex}); the server, or a proxy,"
                " may limit the size of a request, or want https://"
            ) from ex

    def _no_connection(self, ex: Exception) -> str:
        cause = _cause(ex)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {self.place} is not trusted:"
                f" {cause.verify_message}; --cacert names a file with its authority"
            )
        if isinstance(cause, ssl.SSLError):
            return f"{self.place} does not speak TLS; does its URL begin with http://?"
        if isinstance(cause, socket.gaierror):
            return f"there is no host {self._client.base_url.host!r}"
        if isinstance(cause, ConnectionRefusedError):
            return f"nothing listens at {self.place}; start it with: runtime serve"
        return f"{self.place} cannot be reached: {ex}"


def _checked(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as ex:
        raise AdminError(f"--server {url!r} is no URL: {ex}") from ex
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise AdminError(
            f"--server {url!r} is no URL of a server; it must be like"
            " http://localhost:8083"
        )
    if parsed.query or parsed.fragment:
        raise AdminError(f"--server {url!r} must end with a path, without '?' and '#'")
    return parsed


def _context(cacert: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cacert)
    except ssl.SSLError as ex:
        raise AdminError(f"--cacert {cacert} holds no certificate in PEM") from ex
    except OSError as ex:
        raise AdminError(f"--cacert {cacert} cannot be read: {ex.strerror}") from ex


def _cause(ex: BaseException) -> BaseException | None:
    """Find the error that httpx wrapped, if it is of a kind that can be explained."""
    known = (ssl.SSLError, socket.gaierror, ConnectionRefusedError)
    cause: BaseException | None = ex
    while cause is not None and not isinstance(cause, known):
        cause = cause.__cause__ or cause.__context__
    return cause


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
