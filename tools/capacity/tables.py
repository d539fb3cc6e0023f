"""Tables of Markdown from the sums and the simulation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tools.capacity import machine, plan, work
from tools.capacity.fleet import Balancer, Fleet, Outcome, simulate
from tools.capacity.store import (
    SCRAPE_MS,
    SERIES,
    SERIES_BYTES,
    SERIES_KB,
    Store,
    busiest_second,
    hits,
)

SCALES = (1_000, 100_000, 10_000_000)
UTILISATIONS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
# Works of `make bench` whose processor time was counted.
COMPARED = ("a", "b", "c", "d", "f")
SHOWN = {"a": "MNIST, one PNG", "d": "MobileNetV2"}


def figure(number: float) -> str:
    """Write a number with three digits, and with commas from a thousand on."""
    if number >= 100:
        return f"{float(f'{number:.3g}'):,.0f}"
    return f"{number:.3g}" if number >= 0.01 else f"{number:.2f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; the columns after the first have numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def costs() -> str:
    """Write what a request costs, from bench/results.json."""
    head = (
        "work of `make bench`",
        "a turn, us",
        "a request, us",
        "requests/s of a worker",
        "images/s",
        "MiB of a worker",
    )
    rows = []
    for kind in plan.KINDS:
        costs = work.of(kind.key)
        rows.append(
            (
                f"({kind.key}) {kind.title}",
                figure(costs.turn_us),
                figure(costs.request_us),
                figure(costs.capacity),
                figure(costs.capacity * kind.images),
                figure(plan.worker_mib(kind.model)),
            )
        )
    return table(head, rows)


def needs() -> str:
    """Write what the scales take."""
    head = (
        "requests",
        "images/s",
        "requests/s",
        "cores",
        "pods of 4",
        "memory, GiB",
        "in, Gbit/s",
        "out, Gbit/s",
        "log, MB/s",
    )
    rows = []
    for kind in plan.KINDS:
        for scale in SCALES:
            found = plan.needs(kind, scale)
            numbers = (
                found.requests_per_second,
                found.cores,
                found.pods,
                found.gib,
                found.gbit_in,
                found.gbit_out,
                found.log_mb,
            )
            rows.append((kind.title, f"{scale:,}", *map(figure, numbers)))
    return table(head, rows)


def compared() -> str:
    """Write the simulation of one machine beside what was measured there."""
    head = (
        "work",
        "c",
        "requests/s: simulated",
        "measured",
        "p50 ms: simulated",
        "measured",
        "p99 ms: simulated",
        "measured",
    )
    rows = []
    for key in COMPARED:
        for connections, cell in work.measured(key).items():
            load = work.load_generator(key)
            found = machine.simulate(work.of(key), load, connections)
            numbers = (
                (found.requests_per_second, cell.requests_per_second),
                (found.p50_ms, cell.p50_ms),
                (found.p99_ms, cell.p99_ms),
            )
            cells = (figure(number) for pair in numbers for number in pair)
            rows.append((f"({key})", str(connections), *cells))
    return table(head, rows)


def one_node() -> str:
    """Write the times of a node by its utilisation."""
    head = (
        "model",
        "utilisation",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "in flight",
        "requests in a turn",
    )
    rows = []
    for key, title in SHOWN.items():
        for utilisation in UTILISATIONS:
            found = simulate(work.of(key), Fleet(), utilisation)
            numbers = (
                found.requests_per_second,
                found.p50_ms,
                found.p99_ms,
                found.in_flight,
                found.turn,
            )
            rows.append((title, f"{utilisation:.2f}", *map(figure, numbers)))
    return table(head, rows)


def balancers() -> str:
    """Write the 99th percentiles of 64 workers by the load balancer."""
    policies: tuple[Balancer, ...] = ("random", "two", "least", "shared")
    head = (
        "model",
        "pods",
        "utilisation",
        "random",
        "two choices",
        "least requests",
        "one queue",
    )
    rows = []
    for key, title in SHOWN.items():
        for nodes in (16, 64):
            for utilisation in (0.5, 0.7, 0.9):
                p99 = [
                    simulate(
                        work.of(key),
                        Fleet(nodes, 64 // nodes, policy),
                        utilisation,
                    ).p99_ms
                    for policy in policies
                ]
                pods = f"{nodes} of {64 // nodes}"
                cells = (title, pods, f"{utilisation:.2f}", *map(figure, p99))
                rows.append(cells)
    return table(head, rows)


def overload() -> str:
    """Write what happens to more requests than a node can answer."""
    head = (
        "`maxQueue`",
        "`timeoutMs`",
        "utilisation",
        "answered/s",
        "p50 ms",
        "p99 ms",
        "503",
        "504",
    )
    rows = []
    for queue, timeout in ((256, 0), (256, 200), (16, 0)):
        for utilisation in (0.9, 1.2, 2.0):
            fleet = Fleet(max_queue=queue, timeout_ms=timeout)
            found = simulate(work.of("d"), fleet, utilisation)
            rows.append(
                (
                    str(queue),
                    str(timeout),
                    f"{utilisation:.1f}",
                    *_answered(found),
                    f"{found.refused:.0%}",
                    f"{found.expired:.0%}",
                )
            )
    return table(head, rows)


def _answered(found: Outcome) -> tuple[str, str, str]:
    return (
        figure(found.requests_per_second),
        figure(found.p50_ms),
        figure(found.p99_ms),
    )


def store() -> str:
    """Write the requests of many nodes to one object store."""
    head = (
        "nodes",
        "models",
        "looks/s",
        "busiest second: at the start",
        "after ten minutes",
        "requests of a listing",
        "list requests/s",
        "of them, MB/s",
        "requests after one change",
        "first reads of a node",
    )
    rows = []
    for nodes in (10, 100, 1000):
        first, later = busiest_second(nodes, 600)
        for models in (100, 1000, 10_000):
            found = Store(nodes, models)
            numbers = (
                found.looks,
                first,
                later,
                found.pages,
                found.lists,
                found.list_bytes / 1e6,
                found.requests_of_a_change,
                found.first_reads,
            )
            rows.append((f"{nodes:,}", f"{models:,}", *map(figure, numbers)))
    return table(head, rows)


def metrics() -> str:
    """Write the size of the metrics by the models that a node was asked for."""
    head = (
        "models asked on a node",
        "series",
        "bytes of a scrape, MB",
        "time of a scrape, s",
        "memory of a worker, MB",
        "series of 1,000 nodes, million",
    )
    rows = []
    for models in (10, 100, 1000, 10_000):
        numbers = (
            models * SERIES,
            models * SERIES_BYTES / 1e6,
            models * SCRAPE_MS / 1e3,
            models * SERIES_KB / 1e3,
            models * SERIES * 1000 / 1e6,
        )
        rows.append((f"{models:,}", *map(figure, numbers)))
    return table(head, rows)


def memory() -> str:
    """Write the share of requests whose model is in memory."""
    head = ("models in memory of 10,000", "all wanted alike", "by Zipf's law")
    rows = [
        (
            f"{count:,}",
            f"{hits(10_000, count, equal=True):.1%}",
            f"{hits(10_000, count, equal=False):.0%}",
        )
        for count in (10, 100, 1000)
    ]
    return table(head, rows)
