"""Ratios of this project's figures to the others', within one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.record import Cell, Entry, Results, key
from bench.work import CONNECTIONS, WORKS, Work

OURS, OURS_WAITRESS = "ours", "ours-waitress"
GRANIAN, WAITRESS = "naive-granian", "naive-waitress"


@dataclass(frozen=True)
class Ratios:
    """`runtime serve` beside the limit and the others; None if one is not measured.

    Throughput is requests a second.

    Attributes:
        work: the work.
        connections: the number of connections.
        of_limit: the share of the limit that ``runtime serve`` reaches, by processor
            time.
        best: the largest such share of a server of another project.
        best_title: the name of that server.
        limit: the throughput of ``runtime serve`` / that of the loops on all cores
            without a server.
        fastest: the same / that of the fastest server of another project.
        fastest_title: the name of that fastest server.
        granian: the same / that of naive Falcon on granian.
        waitress: the throughput of this project on waitress / that of naive Falcon on
            waitress.
    """

    work: Work
    connections: int
    of_limit: float | None
    best: float | None
    best_title: str
    limit: float | None
    fastest: float | None
    fastest_title: str
    granian: float | None
    waitress: float | None


def ratios(results: Results) -> Iterator[Ratios]:
    """Give the ratios for each work and number of connections, if there are any."""
    for work in WORKS:
        for connections in CONNECTIONS:
            ours = _sound(results, OURS, work, connections)
            waitress = _sound(results, OURS_WAITRESS, work, connections)
            if ours is None and waitress is None:
                continue
            best, best_title = _best(
                results, ours, work, connections, lambda cell: cell.of_limit
            )
            speed, fastest_title = _best(
                results, ours, work, connections, lambda cell: cell.requests_per_second
            )
            line = Ratios(
                work,
                connections,
                ours.of_limit if ours else None,
                best,
                best_title,
                _to_limit(results, ours, work),
                ours.requests_per_second / speed if ours and speed else None,
                fastest_title,
                _to(ours, _sound(results, GRANIAN, work, connections)),
                _to(waitress, _sound(results, WAITRESS, work, connections)),
            )
            # Only this project's servers have the mixed work, so it has no ratios.
            if {line.limit, line.fastest, line.granian, line.waitress} != {None}:
                yield line


def _to_limit(results: Results, ours: Cell | None, work: Work) -> float | None:
    limit = results.limits.get(work.limit)
    if ours is None or limit is None or limit.run != ours.run or not limit.machine:
        return None
    images = ours.requests_per_second * work.images
    return images / statistics.median(limit.machine)


def _best(
    results: Results,
    ours: Cell | None,
    work: Work,
    connections: int,
    figure: Callable[[Cell], float | None],
) -> tuple[float | None, str]:
    """Find the largest figure of a server of another project, and that server."""
    peers: list[tuple[float, str]] = []
    for name, entry in results.servers.items():
        cell = _sound(results, name, work, connections)
        if is_peer(name) and cell and ours and cell.run == ours.run:
            found = figure(cell)
            if found is not None:
                peers.append((found, entry.title))
    return max(peers, default=(None, ""))


def is_peer(name: str) -> bool:
    """Tell whether a server of results.json is not this project's."""
    return not name.startswith("ours")


def _to(ours: Cell | None, other: Cell | None) -> float | None:
    if ours is None or other is None or ours.run != other.run:
        return None
    if not other.requests_per_second:
        return None
    return ours.requests_per_second / other.requests_per_second


def _sound(results: Results, name: str, work: Work, connections: int) -> Cell | None:
    """Find a cell; None if it has no figures or has a failure."""
    entry: Entry | None = results.servers.get(name)
    cell = entry.cells.get(key(work.key, connections)) if entry else None
    return cell if cell and cell.rounds and not cell.failure else None
