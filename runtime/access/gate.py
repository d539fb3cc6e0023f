"""The gate: it decides whether a client may make a request."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Sequence
from enum import Enum

from runtime.access.caller import Caller
from runtime.access.tokens import read_digests
from runtime.config import Config
from runtime.errors import Forbidden, Unauthorized

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Access(Enum):
    """The proof that a route wants from its client.

    Attributes:
        OPEN: no proof.
        READ: a token, if config.json has tokens for predictions.
        WRITE: a token for writes; if config.json has none, the client must be on this
            machine.
    """

    OPEN = "open"
    READ = "read"
    WRITE = "write"


# Proxies name themselves or their client in these headers. They are the headers of
# standards, those of the most used proxies, and all whose name speaks of an address.
_FORWARDED = re.compile(
    r"("
    r"FORWARDED.*|VIA|CDN_.*|SURROGATE_.*|MAX_FORWARDS|PROXY_.*|(WL|X)_PROXY.*"
    r"|X_(FORWARDED|ORIGINAL|ORIGINATING|REWRITE|ENVOY|AMZN|AMZ|AZURE|ARR|APPENGINE|CLOUD"
    r"|GOOGLE|VERCEL|NF|VARNISH|HAPROXY|NGINX|TRAEFIK|SUCURI|AKAMAI|SSL|TLS|SCHEME|HOST|SERVER"
    r"|PORT|URL|HTTP|VIA|EDGE)(_.*)?"
    r"|(CF|CLOUDFRONT|FASTLY|AKAMAI|FLY|DO|INCAP|TAILSCALE|NGROK|SSL|ALI)_.*|X?_?FRONT_END_HTTPS"
    r"|.*(CLIENT|REAL|REMOTE|CONNECTING|SOURCE|SRC|PEER|ORIGIN)_?(IP|ADDR|ADDRESS|HOST)"
    r"|.*_IP"
    r")"
)


# A page of this service has one of these schemes. An extension of a browser and a page
# without an origin ("null") have none of them.
_OWN_SCHEMES = ("http", "https")


def gate_of(config: Config) -> Gate:
    """Make the gate that config.json describes.

    Raises:
        ConfigError: a file of tokens cannot be read, or holds something else.
    """
    return Gate(
        read_digests(config.write_tokens, "writeTokensFile", config.write_tokens_file),
        read_digests(
            config.predict_tokens, "predictTokensFile", config.predict_tokens_file
        ),
        [ipaddress.ip_network(network) for network in config.trusted_proxies],
        config.token_header,
    )


class Gate:
    """Decides whether a request is admitted.

    Args:
        write: digests of the tokens for writes; they may predict, too.
        predict: digests of the tokens for predictions; without any, everybody may
            predict.
        trusted: the proxies that are believed when they name their client.
        header: the header that holds the client's token.
    """

    def __init__(
        self,
        write: Sequence[str] = (),
        predict: Sequence[str] = (),
        trusted: Sequence[Network] = (),
        header: str = Config.token_header,
    ) -> None:
        self._write = tuple(write)
        self._read = (*predict, *write) if predict else ()
        self._trusted = trusted
        self._header = header
        self._key = header.upper().replace("-", "_")

    @property
    def asks_for_reads(self) -> bool:
        """Tell whether reading needs a token."""
        return bool(self._read)

    @property
    def asks_for_writes(self) -> bool:
        """Tell whether writing needs a token; else only this machine may write."""
        return bool(self._write)

    @property
    def header(self) -> str:
        """The header that holds a client's token."""
        return self._header

    @property
    def trusts_proxies(self) -> bool:
        """Tell whether any proxy is believed when it names its client."""
        return bool(self._trusted)

    @property
    def sentence(self) -> str:
        """A sentence on who may write, for the person who starts the service."""
        if self._write:
            return "uploads and other writes need a token"
        return (
            "uploads and other writes are taken from this machine alone, because no"
            " 'writeTokens' are set"
        )

    def check(self, access: Access, caller: Caller) -> None:
        """Admit a request.

        Raises:
            Unauthorized: the request needs a token, and has none or a wrong one.
            Forbidden: no token is set, and the request may come from elsewhere.
        """
        if access is Access.READ and self._read:
            self._check_token(self._read, caller)
        elif access is Access.WRITE:
            if self._write:
                self._check_token(self._write, caller)
            else:
                self._check_is_local(caller)

    def address_of(self, caller: Caller) -> str:
        """Return the client's address: the connection's, or a trusted proxy's word."""
        address = caller.address
        if not self._trusted or not self._is_trusted(address):
            return address
        # Each proxy appends the address of its own client. The first addresses may be
        # the client's invention, so the last ones are read first.
        for hop in reversed(caller.forwarded_for.split(",")):
            ip = _ip(_without_port(hop.strip()))
            if ip is None:
                break
            address = str(ip)
            if not self._is_trusted(address):
                break
        return address

    def _is_trusted(self, address: str) -> bool:
        ip = _ip(address)
        return ip is not None and any(ip in network for network in self._trusted)

    def _check_token(self, digests: Sequence[str], caller: Caller) -> None:
        scheme, _, token = caller.header(self._key).strip().partition(" ")
        if scheme.lower() != "bearer":
            # Another scheme's credentials in Authorization are no token.
            is_own = self._header.lower() != Config.token_header.lower()
            token = scheme if is_own and not token else ""
        if not token.strip():
            raise Unauthorized(
                f"this request needs a token: send {self._header}: Bearer TOKEN"
            )
        # Each character of a WSGI text stands for one byte.
        digest = hashlib.sha256(token.strip().encode("latin-1", "replace")).hexdigest()
        found = False
        for known in digests:  # all are compared, so that the time tells nothing
            found |= hmac.compare_digest(known, digest)
        if not found:
            raise Unauthorized("this token does not admit this request")

    def _check_is_local(self, caller: Caller) -> None:
        """Refuse every caller but a program on this machine, because no token is set.

        A web page in a browser on this machine is refused, because a page may send
        forms to any address. A proxy on this machine is refused, too: it shows itself
        by its headers, or ``trustedProxies`` names it.
        """
        ip, host, origin = _ip(caller.address), caller.host, caller.origin
        if (
            ip is None
            or not ip.is_loopback
            or self._is_trusted(caller.address)
            or any(map(_FORWARDED.fullmatch, caller.header_names))
            or not _is_loopback_name(host)
            or not (origin is None or _is_of_host(origin, host))
            or caller.fetch_site not in ("none", "same-origin")
        ):
            raise Forbidden(
                "config.json has no 'writeTokens', so this request is taken from the"
                " service's own machine alone, at http://localhost and without a proxy;"
                " set a token (docs/securing.md)"
            )


def client_of(address: str) -> str:
    """Return the client of an address: an IPv4 address, or the network of an IPv6 one.

    A client with one IPv6 address has 2^64 of them, and would count as 2^64 clients.
    """
    ip = _ip(address) if ":" in address else None
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((ip, 64), strict=False))
    return address if ip is None else str(ip)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


# An IPv6 address has colons of its own, so it stands in brackets if a port may follow.
_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\],]*)(:[0-9]*)?")


def _without_port(text: str) -> str:
    """Take the port off a name or an address; return any other text as it is."""
    found = _WITH_PORT.fullmatch(text)
    return found[1].strip("[]") if found else text


def _is_of_host(origin: str, host: str) -> bool:
    """Tell whether a page's Origin is the host that it asks."""
    scheme, _, rest = origin.partition("://")
    return scheme in _OWN_SCHEMES and rest == host


def _is_loopback_name(host: str) -> bool:
    """Tell whether a Host header has a name that only this machine's clients use."""
    name = _without_port(host.lower())
    ip = _ip(name)
    if ip is not None:
        return ip.is_loopback
    return name == "localhost" or name.endswith(".localhost")
