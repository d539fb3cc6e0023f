"""``python -m tools.site`` makes a site of README.md, docs/ and their neighbours.

The folder ``site/`` has it then. It is made anew each time, because Sphinx tells the
warnings of a page only when it reads the page. Each warning is an error, and so is
anything that a page would load from another host.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.cmd.build import build_main

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "site"

# A browser loads what these attributes name without a click.
_LOADED = {"src", "srcset", "data", "poster"}
# A style sheet loads what stands here.
_ELSEWHERE = re.compile(r"url\(\s*[\"']?(https?:)?//|@import")
# The kinds of ``<link>`` that name a page and load nothing.
_PAGES = {"canonical", "index", "next", "prev", "search"}


def main() -> int:
    """Make the site, and return an exit code."""
    shutil.rmtree(SITE, ignore_errors=True)
    strict = ["--fail-on-warning", "--keep-going", "--nitpicky", "--jobs", "auto"]
    code = build_main(
        ["--quiet", *strict, "-c", str(ROOT / "docs"), str(ROOT), str(SITE)]
    )
    if code:
        return code
    foreign = list(foreign_assets(SITE))
    for line in foreign:
        print(line, file=sys.stderr)
    print(f"open {SITE.relative_to(ROOT)}/index.html", file=sys.stderr)
    return 1 if foreign else 0


def foreign_assets(site: Path) -> Iterator[str]:
    """Give a sentence for each thing that a page loads from another host."""
    for page in sorted(site.rglob("*.html")):
        reader = _Assets()
        reader.feed(page.read_text(encoding="utf-8"))
        for address in reader.found:
            if urlsplit(address).netloc:
                yield f"{page.relative_to(site)} loads {address}"
    for sheet in sorted([*site.rglob("*.css"), *site.rglob("*.svg")]):
        for line in sheet.read_text(encoding="utf-8").splitlines():
            if _ELSEWHERE.search(line):
                yield f"{sheet.relative_to(site)} loads {line.strip()[:200]}"


class _Assets(HTMLParser):
    """The addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        names = _LOADED
        if tag == "link" and values.get("rel") not in _PAGES:
            names = names | {"href"}
        self.found += [values[name] or "" for name in names if name in values]


if __name__ == "__main__":
    sys.exit(main())
