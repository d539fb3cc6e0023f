"""bench/results.json: every round of every server, with the time of its run."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import Machine
from bench.round import Round
from bundle.staging import replace_file


@dataclass
class Cell:
    """The figures of a work on a server at a number of connections.

    Attributes:
        run: the time at which its run began; figures of one run are comparable.
        rounds: the figures of each round.
        failure: the reason why there are no figures; else empty.
        protocol: the protocol of the requests.
    """

    run: str
    rounds: list[Round] = field(default_factory=list)
    failure: str = ""
    protocol: str = ""

    @property
    def requests_per_second(self) -> float:
        """The median of the rounds' requests a second."""
        return statistics.median(r.requests_per_second for r in self.rounds)

    @property
    def p50_ms(self) -> float:
        """The median of the rounds' 50th percentiles."""
        return statistics.median(r.p50_ms for r in self.rounds)

    @property
    def p99_ms(self) -> float:
        """The median of the rounds' 99th percentiles."""
        return statistics.median(r.p99_ms for r in self.rounds)

    @property
    def server_us(self) -> float | None:
        """The median of the server's processor time for one request."""
        return _median(r.server_us for r in self.rounds)

    @property
    def load_us(self) -> float | None:
        """The median of the load generator's processor time for one request."""
        return _median(r.load_us for r in self.rounds)

    @property
    def limit_us(self) -> float | None:
        """The median of the limit's processor time for the images of one request."""
        return _median(r.limit_us for r in self.rounds)

    @property
    def of_limit(self) -> float | None:
        """The median of the rounds' shares of the limit, by processor time."""
        return _median(r.of_limit for r in self.rounds)

    @property
    def errors(self) -> int:
        """The number of errors in all rounds."""
        return sum(r.errors for r in self.rounds)


@dataclass
class Start:
    """A server's start with one model, and its memory after the load.

    Attributes:
        run: see ``Cell``.
        seconds: the time from its start to its first right answer, in each round.
        mib: the memory of all its processes, in each round.
    """

    run: str
    seconds: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)


@dataclass
class Entry:
    """All figures of a server.

    Attributes:
        title: its name in the tables.
        setup: its set-up, in words.
        versions: the versions of its packages.
        cells: its figures, by ``key(work, connections)``.
        starts: its starts, by the model.
        failure: the reason why its last measurement failed; empty if it did not.
    """

    title: str
    setup: str
    versions: Mapping[str, str]
    cells: dict[str, Cell] = field(default_factory=dict)
    starts: dict[str, Start] = field(default_factory=dict)
    failure: str = ""


@dataclass
class Limit:
    """A loop without a server.

    Attributes:
        run: see ``Cell``.
        core: the images a second on one core, in each round.
        machine: the images a second on all cores at once, in each round.
        core_us: the processor time for one image while one core is busy, in
            microseconds, in each round.
        machine_us: the same while all cores are busy.
    """

    run: str
    core: list[float] = field(default_factory=list)
    machine: list[float] = field(default_factory=list)
    core_us: list[float] = field(default_factory=list)
    machine_us: list[float] = field(default_factory=list)


@dataclass
class Results:
    """All results.

    Attributes:
        runs: the machine of each run that still has figures, by the run's beginning.
        servers: the servers, by their names.
        limits: the loops without a server, by their keys.
        growth: the lines of ``bench.growth``'s table, by their titles.
    """

    runs: dict[str, Machine] = field(default_factory=dict)
    servers: dict[str, Entry] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    growth: dict[str, dict[str, Any]] = field(default_factory=dict)


def key(work: str, connections: int) -> str:
    """Make the key of a cell, such as ``a/8``."""
    return f"{work}/{connections}"


def now() -> str:
    """Give the present time, UTC, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read(path: Path) -> Results:
    """Read the results that ``write`` wrote; give empty ones if there is no file."""
    if not path.exists():
        return Results()
    content = json.loads(path.read_bytes())
    return Results(
        {run: Machine(**machine) for run, machine in content["runs"].items()},
        {name: _entry(entry) for name, entry in content["servers"].items()},
        {name: Limit(**limit) for name, limit in content["limits"].items()},
        content["growth"],
    )


def write(path: Path, results: Results) -> None:
    """Keep the results for the next run, which may measure only a part again."""
    used = {cell.run for e in results.servers.values() for cell in e.cells.values()}
    used |= {start.run for e in results.servers.values() for start in e.starts.values()}
    used |= {limit.run for limit in results.limits.values()}
    used |= {line["run"] for line in results.growth.values()}
    results.runs = {run: m for run, m in sorted(results.runs.items()) if run in used}
    replace_file(path, (json.dumps(asdict(results), indent=1) + "\n").encode())


def _median(figures: Iterable[float | None]) -> float | None:
    """Take the median of the known figures; older rounds have no processor time."""
    known = [figure for figure in figures if figure is not None]
    return statistics.median(known) if known else None


def _entry(content: dict[str, Any]) -> Entry:
    cells = {
        place: Cell(**{**cell, "rounds": [Round(**r) for r in cell["rounds"]]})
        for place, cell in content["cells"].items()
    }
    starts = {model: Start(**start) for model, start in content["starts"].items()}
    return Entry(**{**content, "cells": cells, "starts": starts})
