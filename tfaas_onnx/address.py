"""The address of a server, and the proof that a client shows there."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx

from tfaas_onnx.errors import WrongArgument

# RFC 6750 allows fewer characters in a token.
_TOKEN = re.compile(r"[!-~]+")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


@dataclass(frozen=True)
class Address:
    """The address of a server.

    Attributes:
        url: the server's URL, with its ``base`` if it has one.
        headers: the headers of each request, with the token if there is one.
        verify: the authorities to trust; True for those of the system.
    """

    url: httpx.URL
    headers: dict[str, str]
    verify: ssl.SSLContext | bool

    @property
    def place(self) -> str:
        """The URL for sentences, which may show no password."""
        shown = self.url.copy_with(username=None, password=None)
        return str(shown).rstrip("/")


def address_of(
    url: str,
    token: str = "",
    token_header: str = "Authorization",
    cacert: str | Path | None = None,
) -> Address:
    """Check the arguments that name a server.

    Args:
        url: the server's URL as in a browser, with its ``base`` if it has one.
        token: the token that the service asks for; empty is none.
        token_header: the header that carries the token.
        cacert: PEM file with the authorities to trust, in place of the system's.

    Raises:
        WrongArgument: one of them cannot be used.
    """
    parsed = _checked(url)
    headers = {"User-Agent": f"tfaas-onnx/{_version()}"}
    if token:
        if not _TOKEN.fullmatch(token):
            raise WrongArgument("token", "has characters that no token may have")
        if not _HEADER.fullmatch(token_header):
            raise WrongArgument(
                "token_header", f"{token_header[:64]!r} is no header's name"
            )
        # A proxy may ask for the user's name and password that stand in a URL.
        if parsed.userinfo and token_header.lower() == "authorization":
            raise WrongArgument(
                "token",
                "and the user in the URL both need the header Authorization; give"
                " another token_header",
            )
        headers[token_header] = f"Bearer {token}"
    return Address(parsed, headers, _context(cacert) if cacert else True)


def _version() -> str:
    try:
        return version("tfaas-onnx")
    except PackageNotFoundError:  # somebody copied the folder alone
        return "0"


def _checked(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as ex:
        raise WrongArgument("url", f"{url!r} is no URL: {ex}") from ex
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise WrongArgument(
            "url",
            f"{url!r} is no URL of a server; it must be like http://localhost:8083",
        )
    if parsed.query or parsed.fragment:
        raise WrongArgument("url", f"{url!r} must end with a path, without '?' and '#'")
    return parsed


def _context(cacert: str | Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cacert)
    except ssl.SSLError as ex:
        raise WrongArgument("cacert", f"{cacert} holds no certificate in PEM") from ex
    except OSError as ex:
        raise WrongArgument("cacert", f"{cacert} cannot be read: {ex.strerror}") from ex
