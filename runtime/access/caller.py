"""A caller: the facts about a client that a door gives to the gate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Caller(Protocol):
    """The client of one request. Each door (WSGI, later gRPC) makes its own.

    The gate reads each member when it needs it; most requests need one at most.
    """

    @property
    def address(self) -> str:
        """The address that the connection comes from; empty if it has none."""

    def header(self, name: str) -> str:
        """Return the header of a name; empty if there is none.

        Each of its characters stands for one byte, as in WSGI.

        Args:
            name: the name in capitals and with underscores, as in ``header_names``.
        """

    @property
    def forwarded_for(self) -> str:
        """The header X-Forwarded-For; empty if there is none."""

    @property
    def host(self) -> str:
        """The header Host; empty if there is none."""

    @property
    def origin(self) -> str | None:
        """The header Origin, by which a browser names the page that asks."""

    @property
    def fetch_site(self) -> str:
        """The header Sec-Fetch-Site; ``none`` if there is none."""

    @property
    def header_names(self) -> Iterable[str]:
        """The names of all headers, in capitals and with underscores: X_REAL_IP."""
