"""Tables of the results, for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.ratios import ratios
from bench.record import Cell, Entry, Results, key
from bench.work import BY_KEY, Work

NONE = "-"
OF_LIMIT = "of the limit (processor time)"


@dataclass(frozen=True)
class Table:
    """A table of texts; the columns after the first ``texts`` ones hold numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1


def work_table(results: Results, work: Work, connections: int) -> Table:
    """Make the table of a work at a number of connections.

    The server that comes nearest to the limit is first. The servers without this figure
    come last; among them, the fastest is first.
    """
    found = [
        (entry.title, cell)
        for entry in results.servers.values()
        if (cell := entry.cells.get(key(work.key, connections)))
    ]
    found.sort(key=lambda pair: _order(pair[1]), reverse=True)
    return Table(
        (
            "server",
            OF_LIMIT,
            "server us",
            "load us",
            "limit us",
            "req/s",
            "p50 / p99 ms",
            "protocol",
            "measured",
        ),
        [
            [title, *_load(cell), cell.protocol or NONE, cell.run[:16]]
            for title, cell in found
        ],
    )


def start_table(results: Results) -> Table:
    """Make the table of memory and start-up."""
    headings = ["server"]
    for model in ("MNIST", "MobileNetV2"):
        headings += [f"{model}: MiB after the load", "start, s"]
    rows = []
    for entry in results.servers.values():
        if entry.starts:
            texts = [
                text
                for model in ("mnist", "mobilenet")
                for text in _start(entry, model)
            ]
            rows.append([entry.title, *texts])
    return Table(headings, rows)


def limit_table(results: Results, titles: dict[str, str]) -> Table:
    """Make the table of the loops without a server."""
    return Table(
        (
            "loop",
            "processor us an image, all cores busy",
            "one core busy",
            "images/s on all cores",
            "on one core",
            "measured",
        ),
        [
            [
                titles[name],
                _median_us(limit.machine_us),
                _median_us(limit.core_us),
                f"{statistics.median(limit.machine):,.0f}",
                f"{statistics.median(limit.core):,.0f}",
                limit.run[:16],
            ]
            for name, limit in results.limits.items()
            if limit.core and limit.machine
        ],
    )


def ratio_table(results: Results) -> Table:
    """Make the table that compares `runtime serve` with the limit and the others."""
    return Table(
        (
            "work",
            "c",
            OF_LIMIT,
            "the best peer's",
            "the best peer",
            "req/s / the limit's",
            "req/s / the fastest peer's",
            "the fastest peer",
            "req/s / naive Falcon's, granian",
            "req/s / naive Falcon's, both on waitress",
        ),
        [
            [
                f"({line.work.key}) {line.work.title}",
                str(line.connections),
                _ratio(line.of_limit),
                _ratio(line.best),
                line.best_title or NONE,
                _ratio(line.limit),
                _ratio(line.fastest),
                line.fastest_title or NONE,
                _ratio(line.granian),
                _ratio(line.waitress),
            ]
            for line in ratios(results)
        ],
    )


def setup_table(results: Results) -> Table:
    """Make the table of each server's set-up and versions."""
    return Table(
        ("server", "set-up", "versions"),
        [
            [
                entry.title,
                entry.setup,
                ", ".join(
                    f"{name} {number}" for name, number in entry.versions.items()
                ),
            ]
            for entry in results.servers.values()
        ],
        texts=3,
    )


def growth_table(results: Results) -> Table:
    """Make the table of this project's figures with more models and with changes."""
    return Table(
        ("with", "what", "figure", "measured"),
        [
            [line["with"], line["what"], line["figure"], line["run"][:16]]
            for line in results.growth.values()
        ],
        texts=2,
    )


def failures(results: Results) -> Iterator[str]:
    """Give a sentence for each server or work that could not be measured."""
    for entry in results.servers.values():
        if entry.failure:
            yield f"{entry.title}: {entry.failure}"
        told = {
            (place.partition("/")[0], cell.failure)
            for place, cell in entry.cells.items()
            if cell.failure
        }
        for work, failure in sorted(told):
            yield f"{entry.title}, {BY_KEY[work].title}: {failure}"


def markdown(table: Table) -> Iterator[str]:
    """Write a table in Markdown; numbers are aligned to the right."""
    yield _line(table.headings)
    numbers = len(table.headings) - table.texts
    yield _line(["---"] * table.texts + ["---:"] * numbers)
    for row in table.rows:
        yield _line(row)


def plain(table: Table) -> Iterator[str]:
    """Write a table for a terminal."""
    lines = [table.headings, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(
            f"{text:<{width}}" if number < table.texts else f"{text:>{width}}"
            for number, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()


def _line(texts: Sequence[str]) -> str:
    escaped = (text.replace("|", "\\|") for text in texts)
    return f"| {' | '.join(escaped)} |"


def _order(cell: Cell) -> tuple[float, float]:
    if cell.failure or not cell.rounds:
        return 0, 0
    return cell.of_limit or 0, cell.requests_per_second


def _load(cell: Cell) -> tuple[str, ...]:
    if cell.failure or not cell.rounds:
        return NONE, NONE, NONE, NONE, "failed", NONE
    # Errors are marked, because failed requests are often answered faster.
    errors = f" ({cell.errors:,} ERRORS)" if cell.errors else ""
    return (
        _ratio(cell.of_limit),
        *(
            NONE if us is None else _figure(us)
            for us in (cell.server_us, cell.load_us, cell.limit_us)
        ),
        f"{_figure(cell.requests_per_second)}{errors}",
        f"{_figure(cell.p50_ms)} / {_figure(cell.p99_ms)}",
    )


def _start(entry: Entry, model: str) -> tuple[str, str]:
    start = entry.starts.get(model)
    if start is None:
        return NONE, NONE
    return (
        f"{statistics.median(start.mib):,.0f}" if start.mib else NONE,
        f"{statistics.median(start.seconds):.2f}" if start.seconds else NONE,
    )


def _median_us(rounds: Sequence[float]) -> str:
    return _figure(statistics.median(rounds)) if rounds else NONE


def _ratio(ratio: float | None) -> str:
    return NONE if ratio is None else f"{ratio:.2f}"


def _figure(number: float) -> str:
    """Write a number with about three significant digits."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"
