"""The routes, each with its clients and its sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.access.gate import Access
from runtime.http.routes import ROUTES, Route
from tools.reference.markdown import code, sentence, table

# docs/securing.md says what each group needs.
_ACCESS = {
    Access.OPEN: "everybody",
    Access.READ: "a reader",
    Access.WRITE: "a writer",
}


def block(arguments: Sequence[str]) -> str:
    """The table of all routes."""
    return as_table(ROUTES)


def as_table(routes: Iterable[Route]) -> str:
    """One row for each route."""
    return table(
        ("request", "who may ask", "what it does"),
        [
            (
                code(f"{route.method} {route.shown}"),
                _ACCESS[route.access],
                sentence(route.sentence),
            )
            for route in routes
        ],
    )
