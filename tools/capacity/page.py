"""docs/capacity.md: its tables stand between markers, and the rest is by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

from tools.capacity import tables

PAGE = Path(__file__).parents[2] / "docs" / "capacity.md"

# The first ones are sums, or take moments; the others simulate for some seconds.
SUMS: dict[str, Callable[[], str]] = {
    "costs": tables.costs,
    "needs": tables.needs,
    "store": tables.store,
    "memory": tables.memory,
    "metrics": tables.metrics,
}
TABLES = {
    **SUMS,
    "compared": tables.compared,
    "one node": tables.one_node,
    "balancers": tables.balancers,
    "overload": tables.overload,
}

_BLOCK = re.compile(
    r"(<!-- simulated: (?P<name>[\w ]+) -->\n).*?(<!-- end of simulated -->)", re.DOTALL
)


def renewed(text: str, names: Collection[str] = TABLES) -> str:
    """Return the page's text with tables made anew.

    Args:
        text: the page's text.
        names: the tables; the others stay.

    Raises:
        KeyError: a marker names no table.
    """

    def block(found: re.Match[str]) -> str:
        make = TABLES[found["name"]]
        if found["name"] not in names:
            return found[0]
        return f"{found[1]}\n{make()}\n\n{found[3]}"

    return _BLOCK.sub(block, text)
