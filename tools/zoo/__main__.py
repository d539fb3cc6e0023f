"""``make zoo``: convert and prove the zoo, print each row, and write all into docs/."""

from __future__ import annotations

import signal
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import click

from bundle.errors import DomainError
from bundle.staging import replace_file
from bundle.terminal import Failed, WrongInput
from exporter.child.run import Limits, run_in_child
from tools.zoo.cells import HEADINGS, aligned, cells
from tools.zoo.chart import chart
from tools.zoo.children import SECONDS, attempts
from tools.zoo.page import TITLES, page
from tools.zoo.record import Family, measured, read, write
from tools.zoo.row import Attempt, Row
from tools.zoo.trial import listing, try_all

# Each name has a piece of the sentence with which the model must be refused, or "".
Listed = Sequence[tuple[str, str]]


@click.command()
@click.argument("what", nargs=-1)
@click.option(
    "--docs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("docs"),
    show_default=True,
    help="Write zoo.md, zoo.png and zoo.json into this folder.",
)
@click.option(
    "--tables",
    is_flag=True,
    help="Measure nothing, and write the page and the picture again from zoo.json.",
)
def main(what: Sequence[str], docs: Path, tables: bool) -> None:
    """Convert and prove the models of tests/zoo.

    Give a family (layers) or a model (keras.layers.Dense) as WHAT; the default is all
    families. Models that are not measured keep their rows. The exit code is 1 if a
    model is neither proved nor refused as it should be, and 2 if an argument is wrong.
    """
    families = read(docs / "zoo.json")
    rows: list[Row] = []
    try:
        todo = [] if tables else list(_chosen(what))
        docs.mkdir(exist_ok=True)
        click.echo(aligned(HEADINGS))
        for family, listed, names in todo:
            rows += _measure(families, family, listed, names, docs)
        _write(families, docs)
    except DomainError as ex:
        raise WrongInput(str(ex)) from ex
    if odd := [row.name for row in rows if not row.is_as_it_should_be]:
        raise Failed(
            f"{len(odd)} of {len(rows)} models are neither proved nor refused as they"
            f" should be: {', '.join(odd)}"
        )


def _chosen(what: Sequence[str]) -> Iterator[tuple[str, Listed, Sequence[str]]]:
    """Choose families; give each with all its names and the names to measure."""
    wanted = [family for family in TITLES if family in what or not what]
    missing = set(what) - set(TITLES)
    # To list families takes seconds, so those that the names point to come first, and
    # the others only if a name is still missing.
    pointed = [family for family in TITLES if _may_be_of(family, missing)]
    others = [family for family in TITLES if family not in pointed]
    for group in (pointed, others):
        families = [family for family in group if family in wanted or missing]
        for family, listed in (_listed(families) if families else {}).items():
            if family in wanted:
                yield family, listed, [name for name, _ in listed]
                continue
            # A name without the words for a variant means all its variants.
            found = [n for n, _ in listed if n in missing or n.split()[0] in missing]
            missing -= {n for name in found for n in (name, name.split()[0])}
            if found:
                yield family, listed, found
    if missing:
        raise DomainError(
            f"the zoo has no {min(missing)!r}; its families are {', '.join(TITLES)}"
        )


def _may_be_of(family: str, names: Collection[str]) -> bool:
    return any(name.startswith(f"{TITLES[family]}.") for name in names)


def _listed(families: Sequence[str]) -> Mapping[str, Listed]:
    limits = Limits(SECONDS, walls="off")
    return run_in_child(listing, families, limits=limits, tell=lambda step: None)


def _measure(
    families: dict[str, Family],
    family: str,
    listed: Listed,
    names: Sequence[str],
    docs: Path,
) -> list[Row]:
    """Measure some models of a family, and keep the rows even after an error."""
    old = families[family].rows if family in families else ()
    known = {row.name: row for row in old}
    made = []
    try:
        for row in _rows(family, dict(listed), names):
            click.echo(aligned(cells(row)))
            made.append(row)
            known[row.name] = row
            kept = [known[name] for name, _ in listed if name in known]
            families[family] = measured(kept)
            # A run takes hours and may be ended, so each row is written at once.
            write(docs / "zoo.json", families)
    finally:
        if made:
            _write(families, docs)
    return made


def _rows(
    family: str, refused: Mapping[str, str], names: Sequence[str]
) -> Iterator[Row]:
    ours: dict[str, Attempt] = {}
    for (name, whose), attempt in attempts(try_all, family, names):
        if whose == "ours":
            ours[name] = attempt
        else:
            yield Row(name, refused[name], ours[name], attempt)


def _write(families: Mapping[str, Family], docs: Path) -> None:
    ordered = {name: families[name] for name in TITLES if name in families}
    write(docs / "zoo.json", ordered)
    replace_file(docs / "zoo.md", page(ordered).encode())
    replace_file(docs / "zoo.png", chart(ordered))


if __name__ == "__main__":
    # sys.exit lets a run that is ended in the middle write its rows.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        main.main(standalone_mode=False)
    except click.ClickException as ex:
        ex.show()
        sys.exit(ex.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
