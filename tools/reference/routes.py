"""The routes: who may ask each, and what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tools.reference.markdown import code, sentence, table


class Route(NamedTuple):
    """One request that the service answers.

    Attributes:
        method: of HTTP; HEAD goes with GET.
        path: without the prefix of config.json's ``base``.
        access: who may ask: ``open``, ``read`` or ``write``.
        what: one sentence.
    """

    method: str
    path: str
    access: str
    what: str


# A reader finds what each word asks of him in docs/securing.md.
_ACCESS = {"open": "everybody", "read": "a reader", "write": "a writer"}


def routes() -> list[Route]:
    """Every route of the application."""
    from runtime.access import RULES
    from runtime.resources.page import ROUTES

    access = {path.replace(":path}", "}"): rule for path, rule in RULES.items()}
    return [
        Route(method, path, access[path][method].value, what)
        for method, path, what in ROUTES
    ]


def block(arguments: Sequence[str]) -> str:
    """The table of all routes."""
    return as_table(routes())


def as_table(rows: Sequence[Route]) -> str:
    """One row a route."""
    return table(
        ("request", "who may ask", "what it does"),
        [
            (code(f"{row.method} {row.path}"), _ACCESS[row.access], sentence(row.what))
            for row in rows
        ],
    )
