"""``make bench``: measure servers, print the figures, and write them into docs/."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from bench import tables
from bench.measure import Plan, Run
from bench.page import LOOP_TITLES, page
from bench.places import RESULTS, ROOT
from bench.record import Results, read, write
from bench.server import BY_NAME, QUICK, SERVERS
from bench.work import BY_KEY, CONNECTIONS, WORKS
from bench.wrk import require_wrk
from bundle.errors import DomainError
from bundle.staging import replace_file
from bundle.terminal import Failed

_SECONDS, _ROUNDS = 5, 3
_QUICK_SECONDS, _QUICK_ROUNDS = 3, 1


@click.command()
@click.option(
    "--quick",
    is_flag=True,
    help="Measure only this project and naive Falcon with two works; write nothing.",
)
@click.option(
    "--server",
    "names",
    multiple=True,
    type=click.Choice(list(BY_NAME)),
    help="Measure only this server; repeat the option for more.",
)
@click.option(
    "--work",
    "keys",
    multiple=True,
    type=click.Choice(list(BY_KEY)),
    help="Measure only this work; repeat the option for more.",
)
@click.option(
    "--seconds",
    type=click.IntRange(1),
    help="Load each server for this many seconds."
    f"  [default: {_SECONDS}; quick: {_QUICK_SECONDS}]",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    help="Go through all servers this many times."
    f"  [default: {_ROUNDS}; quick: {_QUICK_ROUNDS}]",
)
@click.option(
    "--growth",
    is_flag=True,
    help="Measure only the effect of more models and versions on this project.",
)
@click.option(
    "--tables",
    "only_tables",
    is_flag=True,
    help="Measure nothing, and write the documents again.",
)
@click.option(
    "--docs",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "docs",
    help="Write benchmarks.md and its pictures into this folder.  [default: docs]",
)
def main(
    quick: bool,
    names: Sequence[str],
    keys: Sequence[str],
    seconds: int | None,
    rounds: int | None,
    growth: bool,
    only_tables: bool,
    docs: Path,
) -> None:
    """Measure this project's servers and their peers on this machine.

    Servers and works that are not measured keep their rows, with the time of their run.
    """
    # A quick run has too few figures to keep.
    results = Results() if quick else read(RESULTS)

    def save() -> None:
        if not quick:
            write(RESULTS, results)

    try:
        if not only_tables:
            require_wrk()
            if growth:
                from bench.growth import grow

                grow(results, save, click.echo, seconds or _SECONDS)
            else:
                Run(
                    _plan(quick, names, keys, seconds, rounds), results, save, _tell
                ).go()
    except DomainError as ex:
        raise Failed(str(ex)) from ex
    finally:
        # A run that is ended in the middle still shows its figures.
        if quick:
            _print(results)
        elif results.servers or results.growth:
            _write(results, docs)


def _plan(
    quick: bool,
    names: Sequence[str],
    keys: Sequence[str],
    seconds: int | None,
    rounds: int | None,
) -> Plan:
    chosen = names or (QUICK if quick else [server.name for server in SERVERS])
    works = keys or (("a", "b") if quick else [work.key for work in WORKS])
    return Plan(
        [server for server in SERVERS if server.name in chosen],
        [work for work in WORKS if work.key in works],
        rounds or (_QUICK_ROUNDS if quick else _ROUNDS),
        seconds or (_QUICK_SECONDS if quick else _SECONDS),
    )


def _tell(line: str) -> None:
    click.echo(line)


def _print(results: Results) -> None:
    for work in WORKS:
        for connections in CONNECTIONS:
            table = tables.work_table(results, work, connections)
            if table.rows:
                title = f"({work.key}) {work.title}, c={connections}"
                _section(title, tables.plain(table))
    for title, table in (
        ("Memory and start-up", tables.start_table(results)),
        ("The limit", tables.limit_table(results, LOOP_TITLES)),
        ("Ratios", tables.ratio_table(results)),
    ):
        if table.rows:
            _section(title, tables.plain(table))
    for sentence in tables.failures(results):
        click.echo(f"not measured: {sentence}")


def _section(title: str, lines: Iterable[str]) -> None:
    click.echo(f"\n{title}")
    for line in lines:
        click.echo(line)


def _write(results: Results, docs: Path) -> None:
    from bench.chart import charts

    write(RESULTS, results)
    docs.mkdir(parents=True, exist_ok=True)
    replace_file(docs / "benchmarks.md", page(results).encode())
    for name, picture in charts(results).items():
        replace_file(docs / name, picture)


if __name__ == "__main__":
    # sys.exit lets a run that is ended in the middle end its servers.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        main.main(standalone_mode=False)
    except click.ClickException as ex:
        ex.show()
        sys.exit(ex.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
