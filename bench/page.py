"""The page docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench import tables
from bench.limit import LOOPS
from bench.record import Results
from bench.work import CONNECTIONS, WORKS

LOOP_TITLES = {loop.key: loop.title for loop in LOOPS}


def page(results: Results) -> str:
    """Write the whole page as text."""
    introduction = Path(__file__).with_name("introduction.md").read_text()
    return "\n".join([introduction, *_sections(results), ""])


def _sections(results: Results) -> Iterator[str]:
    yield from ("## Ours against the others", "")
    yield "The first number is the share of the limit that `runtime serve` reaches, by"
    yield "processor time. Beside it stands the largest share of a peer. Each later"
    yield "number is this project's requests a second, divided by the other server's."
    yield "Above 1, this project is faster."
    yield ""
    yield from tables.markdown(tables.ratio_table(results))
    yield from ("", "![Requests a second of each server](benchmarks-throughput.png)")
    yield from ("", "![Latencies of each server](benchmarks-latency.png)")
    for work in WORKS:
        found = [(c, tables.work_table(results, work, c)) for c in CONNECTIONS]
        if any(table.rows for _, table in found):
            yield from ("", f"## ({work.key}) {work.title[0].upper()}{work.title[1:]}")
        for connections, table in found:
            if table.rows:
                yield from ("", f"c={connections}:", "")
                yield from tables.markdown(table)
    yield from ("", "## Memory and start-up", "")
    yield "Memory is that of all processes; shared memory counts once (PSS). Start-up"
    yield "is the time from the server's start to its first right answer."
    yield ""
    yield from tables.markdown(tables.start_table(results))
    yield from ("", "![Memory and start-up of each server](benchmarks-memory.png)")
    yield from ("", "## The limit", "")
    yield from tables.markdown(tables.limit_table(results, LOOP_TITLES))
    if results.growth:
        yield from ("", "## More models, more versions, changes", "")
        yield from tables.markdown(tables.growth_table(results))
    if sentences := list(tables.failures(results)):
        yield from ("", "## Not measured", "")
        yield from (f"- {' '.join(sentence.split())}" for sentence in sentences)
    yield from ("", "## Measured with", "")
    yield from tables.markdown(tables.setup_table(results))
    yield ""
    yield from (f"- {run}: {machine}" for run, machine in results.runs.items())
