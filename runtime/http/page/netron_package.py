"""Private parts of the netron package: the page and the files of its graph viewer.

netron has a server of its own, and documents no other use of its page. Only this file
names the parts that are used. pyproject.toml admits the versions that this was tried
with, and ``tests/runtime/http/page/test_netron_package.py`` fails if a version has
changed these parts.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

PAGE = "index.html"

# The types of the files that make up the viewer; the rest is Python.
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".svg": "image/svg+xml",
}

# Without this cookie the page asks ipinfo.io for the reader's place, and then it asks
# the reader for consent.
CONSENT_COOKIE = "consent=0"


def viewer_files() -> dict[str, Path]:
    """List the viewer's files by their names; none if netron is not installed."""
    spec = find_spec("netron")
    folders = (spec.submodule_search_locations or []) if spec else []
    return {
        path.name: path
        for folder in folders
        for path in Path(folder).iterdir()
        if path.suffix in TYPES and path.is_file()
    }


def own_page(page: str) -> str:
    """Change netron's index.html: the result is never out of date, and reports nothing.

    The unchanged page counts its reader at Google, and after half a year asks for an
    update.
    """
    page = re.sub(r'<meta name="date" content="[^"]*">\n?', "", page)
    # 0.0.0 is the developers' own version, whose page does not count its readers.
    return re.sub(
        r'<meta name="version" content="[^"]*">',
        '<meta name="version" content="0.0.0">',
        page,
    )
