"""``python -m tools.reference``: write the generated parts of docs/reference/ anew."""

from __future__ import annotations

import sys

import click

from tools.reference.pages import ROOT, pages, renewed


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a page is stale.")
def main(check: bool) -> None:
    """Write what the code says between the markers of docs/reference/*.md.

    Text outside of the markers is written by hand and stays.
    """
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = renewed(text)
        if new == text:
            continue
        stale.append(page)
        if not check:
            page.write_text(new, encoding="utf-8")
    for page in stale:
        print(f"{page.relative_to(ROOT)} {'is stale' if check else 'was written'}")
    if check and stale:
        sys.exit("run `make docs`")


if __name__ == "__main__":
    main()
