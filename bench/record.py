"""bench/results.json: every round of every server, and when it was measured."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import Machine
from bench.wrk import Round
from bundle.staging import replace_file


@dataclass
class Cell:
    """A work on a server at a number of connections, or a model's start on it.

    Attributes:
        run: when the run began that measured it; figures of one run are comparable.
        rounds: one after the other.
        failure: why there are none; empty if there are.
        protocol: that was spoken.
    """

    run: str
    rounds: list[Round] = field(default_factory=list)
    failure: str = ""
    protocol: str = ""

    @property
    def requests_per_second(self) -> float:
        """The median of the rounds."""
        return statistics.median(r.requests_per_second for r in self.rounds)

    @property
    def p50_ms(self) -> float:
        """The median of the rounds."""
        return statistics.median(r.p50_ms for r in self.rounds)

    @property
    def p99_ms(self) -> float:
        """The median of the rounds."""
        return statistics.median(r.p99_ms for r in self.rounds)

    @property
    def errors(self) -> int:
        """In all rounds."""
        return sum(r.errors for r in self.rounds)


@dataclass
class Start:
    """A server's start with one model, and its memory after the load.

    Attributes:
        run: as a cell's.
        seconds: from its start to its first right answer, of each round.
        mib: memory of all its processes, of each round.
    """

    run: str
    seconds: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)


@dataclass
class Entry:
    """A server.

    Attributes:
        title: in the tables.
        setup: in words.
        versions: of its packages.
        cells: by ``key(work, connections)``.
        starts: by the model.
        failure: why it was not measured when it last was to be; empty if it was.
    """

    title: str
    setup: str
    versions: Mapping[str, str]
    cells: dict[str, Cell] = field(default_factory=dict)
    starts: dict[str, Start] = field(default_factory=dict)
    failure: str = ""


@dataclass
class Limit:
    """A loop without a server, in images a second.

    Attributes:
        run: as a cell's.
        core: on one core, of each round.
        machine: on all cores at once, of each round.
    """

    run: str
    core: list[float] = field(default_factory=list)
    machine: list[float] = field(default_factory=list)


@dataclass
class Results:
    """All there is.

    Attributes:
        runs: the machine of each run that a figure is still of, by its beginning.
        servers: by their names.
        limits: by the loops' keys.
        growth: the table of ``bench.growth``: its lines, by their titles.
    """

    runs: dict[str, Machine] = field(default_factory=dict)
    servers: dict[str, Entry] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    growth: dict[str, dict[str, Any]] = field(default_factory=dict)


def key(work: str, connections: int) -> str:
    """A cell's place: ``a/8``."""
    return f"{work}/{connections}"


def now() -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read(path: Path) -> Results:
    """What ``write`` wrote; nothing if it is not there."""
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
    """Keep it for the next run, of which a part may be measured again."""
    used = {cell.run for e in results.servers.values() for cell in e.cells.values()}
    used |= {start.run for e in results.servers.values() for start in e.starts.values()}
    used |= {limit.run for limit in results.limits.values()}
    used |= {line["run"] for line in results.growth.values()}
    results.runs = {run: m for run, m in sorted(results.runs.items()) if run in used}
    replace_file(path, (json.dumps(asdict(results), indent=1) + "\n").encode())


def _entry(content: dict[str, Any]) -> Entry:
    cells = {
        place: Cell(**{**cell, "rounds": [Round(**r) for r in cell["rounds"]]})
        for place, cell in content["cells"].items()
    }
    starts = {model: Start(**start) for model, start in content["starts"].items()}
    return Entry(**{**content, "cells": cells, "starts": starts})
