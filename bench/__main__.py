"""``make bench``: measure, print it as it goes, write it into docs/."""

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
from bench.work import BY_KEY, WORKS
from bench.wrk import require_wrk
from bundle.errors import DomainError
from bundle.staging import replace_file
from bundle.terminal import Failed

_SECONDS, _ROUNDS = 5, 3
_QUICK_SECONDS, _QUICK_ROUNDS = 3, 1


@click.command()
@click.option(
    "--quick", is_flag=True, help="Ours and naive Falcon, two works; writes nothing."
)
@click.option(
    "--server",
    "names",
    multiple=True,
    type=click.Choice(list(BY_NAME)),
    help="Only this one; more than one may be named.",
)
@click.option(
    "--work",
    "keys",
    multiple=True,
    type=click.Choice(list(BY_KEY)),
    help="Only this one; more than one may be named.",
)
@click.option(
    "--seconds",
    type=click.IntRange(1),
    help=f"Of each load.  [default: {_SECONDS}; quick: {_QUICK_SECONDS}]",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    help=f"Through all servers.  [default: {_ROUNDS}; quick: {_QUICK_ROUNDS}]",
)
@click.option(
    "--growth", is_flag=True, help="Only what more models and versions do to ours."
)
@click.option("--tables", "only_tables", is_flag=True, help="Only write docs again.")
@click.option(
    "--docs",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "docs",
    help="Where benchmarks.md and its pictures go.  [default: docs]",
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

    What is not measured keeps its rows, with the time of its run.
    """
    # Quick figures are too few to be kept.
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
        # Ended in the middle, it still shows what it has.
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
        table = tables.work_table(results, work)
        if table.rows:
            _section(f"({work.key}) {work.title}", tables.plain(table))
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
    # Ended in the middle, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        main.main(standalone_mode=False)
    except click.ClickException as ex:
        ex.show()
        sys.exit(ex.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
