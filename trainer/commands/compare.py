"""``trainer compare``: two bundles side by side."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bundle.objects.address import Place
from bundle.terminal import Failed
from exporter.arguments import MODELS_DIR, store_of, writable
from trainer.commands.options import import_held
from trainer.interrupt import Interrupt


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@MODELS_DIR
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=writable,
    metavar="FILE.html",
    help="Also write the comparison as a page.",
)
def compare(
    first: str, second: str, models_dir: Place | None, as_json: bool, html: Path | None
) -> None:
    """Put two bundles side by side, by the reports of their trainings.

    A and B are models of the store (mnist is its newest version; mnist:3; mnist@stable)
    or folders of bundles. The exit code is 2 if one of them has no report.
    """
    with Interrupt() as interrupt:
        import_held(interrupt, "trainer.comparison.table")
        from exporter.sources.source import find_path
        from trainer.comparison.comparison import compare as compare_sides
        from trainer.comparison.page import comparison_page
        from trainer.comparison.side import read_side
        from trainer.comparison.table import print_comparison

        store = store_of(models_dir)
        sides = [read_side(given, find_path(given, store)) for given in (first, second)]
        comparison = compare_sides(*sides)
        interrupt.hold()
        if as_json:
            click.echo(json.dumps(comparison.to_json(), indent=2, ensure_ascii=False))
        else:
            print_comparison(comparison)
        if html is not None:
            _write(html, comparison_page(comparison))
            click.echo(f"wrote {html}", err=as_json)


def _write(path: Path, page: str) -> None:
    from bundle.disk import refusal
    from bundle.staging import replace_file

    try:
        replace_file(path, page.encode())
    except OSError as ex:
        why = refusal(ex, "name another file with --html")
        raise Failed(f"{path} cannot be written: {why}") from ex
