"""The checks of config.json's values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, get_args

from bundle.objects.address import Place, place_of
from bundle.params import MODEL_NAME
from bundle.version_labels import LABEL_NAME

# A check takes a JSON value and returns the field's value. It raises ValueError with
# the end of a sentence that begins with the key.
Check = Callable[[Any], Any]


def whole(low: int, high: int) -> Check:
    """Make a check for a whole number from ``low`` to ``high``."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("must be a whole number")
        if not low <= value <= high:
            raise ValueError(f"is {value}; it must be {low} to {high}")
        return value

    return check


def text(value: Any) -> str:
    """Check a text without NUL characters."""
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if "\0" in value:
        raise ValueError("holds a NUL character")
    return value


def flag(value: Any) -> bool:
    """Check a truth value."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def one_of(kind: Any) -> Check:
    """Make a check for one of the texts of a ``Literal``."""
    choices = get_args(kind)

    def check(value: Any) -> str:
        if text(value) not in choices:
            raise ValueError(f"is {value!r}; it must be one of {', '.join(choices)}")
        return str(value)

    return check


def place(value: Any) -> Place:
    """Check the address of a store: a folder, or the URL of an object store."""
    return place_of(text(value))


def host(value: Any) -> str:
    """Check an address to listen on."""
    # A socket takes a blank for every address, which nobody means by a blank.
    if not text(value).strip():
        raise ValueError("is empty; 0.0.0.0 listens on every address")
    return str(value)


_BASE = re.compile(r"[A-Za-z0-9._~/-]*")


def base(value: Any) -> str:
    """Check a prefix of all routes; return it with one slash before it and none after.

    An empty prefix stays empty.
    """
    if not _BASE.fullmatch(text(value)):
        raise ValueError(
            f"is {value!r}; it must be a path of letters, digits and '.', '_', '~', '-'"
        )
    return "/" + value.strip("/") if value.strip("/") else ""


# The notation of TFaaS's limiter: a number of requests, and S, M, H or D.
RATE = re.compile(r"([1-9][0-9]{0,8})-([SMHD])", re.IGNORECASE)


def rate(value: Any) -> str:
    """Check a rate in the notation of TFaaS's limiter; an empty text is no limit."""
    if text(value) and not RATE.fullmatch(value):
        raise ValueError(
            f"is {value!r}; it must be a number and S, M, H or D: '100-S' is 100"
            " requests a second"
        )
    return str(value)


_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


def header(value: Any) -> str:
    """Check the name of a request's header."""
    if not _HEADER.fullmatch(text(value)):
        raise ValueError(
            f"is {value[:64]!r}; it must be a header's name of letters, digits and '-'"
        )
    return str(value)


# A SHA-256 in hexadecimal digits.
DIGEST = re.compile(r"[0-9a-f]{64}")


def digests(value: Any) -> tuple[str, ...]:
    """Check a list of SHA-256 digests; return them in lower case."""
    if not isinstance(value, list) or not all(isinstance(d, str) for d in value):
        raise ValueError("must be a list of texts, each the SHA-256 of a token")
    # The error does not show the text, which may be the token itself.
    if not all(DIGEST.fullmatch(digest.lower()) for digest in value):
        raise ValueError(
            "holds a text that is no SHA-256 in 64 hexadecimal digits; `runtime token`"
            " makes one"
        )
    return tuple(digest.lower() for digest in value)


def networks(value: Any) -> tuple[str, ...]:
    """Check a list of IP addresses and networks."""
    if not isinstance(value, list) or not all(isinstance(n, str) for n in value):
        raise ValueError('must be a list of addresses, such as ["10.0.0.0/8"]')
    for network in value:
        try:
            ipaddress.ip_network(network)
        except ValueError as ex:
            raise ValueError(f"has {network[:64]!r}, which is no network: {ex}") from ex
    return tuple(value)


# The notation of a browser's header Origin, without the origin "null".
_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?"
)
# A browser leaves these ports out.
_PORTS = {"http": "80", "https": "443"}


def origins(value: Any) -> tuple[str, ...]:
    """Check a list of origins of web pages; ``*`` alone stands for all."""
    if not isinstance(value, list) or not all(isinstance(n, str) for n in value):
        raise ValueError('must be a list of origins, such as ["https://lab.example"]')
    if value == ["*"]:
        return ("*",)
    for origin in value:
        if origin == "*":
            raise ValueError("has '*' beside others; '*' alone stands for all origins")
        if origin == "null":
            raise ValueError(
                "has 'null', which is no single origin: files and frames of any site"
                " send it"
            )
        found = _ORIGIN.fullmatch(origin)
        if found is None or int(found[2] or 0) > 65535:
            raise ValueError(
                f"has {origin[:128]!r}, which is no origin as browsers send it: a"
                " scheme, a host in small letters, and perhaps a port, such as"
                " https://lab.example:8443, without a path or a last slash"
            )
        if found[2] and found[2] == _PORTS.get(found[1]):
            raise ValueError(
                f"has {origin[:128]!r}; write it without :{found[2]}, as browsers do"
            )
    return tuple(value)


def label(value: Any) -> str:
    """Check a label's name, or an empty text for no label."""
    if text(value) and not LABEL_NAME.fullmatch(value):
        raise ValueError(f"is {value!r}, which is no label's name")
    return str(value)


def traffic(value: Any) -> dict[str, float]:
    """Check the share of the requests that each label gets, in percent."""
    if not isinstance(value, dict):
        raise ValueError('must be a JSON object, such as {"canary": 10}')
    for label, share in value.items():
        if not LABEL_NAME.fullmatch(label):
            raise ValueError(f"has {label!r}, which is no label's name")
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise ValueError(f"must give {label!r} a number, the percentage")
        if not 0 <= share <= 100:
            raise ValueError(f"gives {label!r} {share} %; it must be 0 to 100")
    # Shares in tenths that make up 100 may have a slightly larger sum as floats.
    if round(sum(value.values()), 9) > 100:
        raise ValueError("gives more than 100 % in all")
    return {str(label): float(share) for label, share in value.items()}


def share(value: Any) -> float:
    """Check a percentage."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number, the percentage")
    if not 0 <= value <= 100:
        raise ValueError(f"is {value} %; it must be 0 to 100")
    return float(value)


def names(value: Any) -> tuple[str, ...]:
    """Check a list of model names; ``*`` stands for all models."""
    if not isinstance(value, list) or not all(isinstance(n, str) for n in value):
        raise ValueError('must be a list of model names, or ["*"]')
    for name in value:
        if name != "*" and not MODEL_NAME.fullmatch(name):
            raise ValueError(f"has {name[:128]!r}, which is no model's name")
    return tuple(value)
