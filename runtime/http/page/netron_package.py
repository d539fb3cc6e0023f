"""Private parts of the netron package: the page and the files of its graph viewer.

netron has a server of its own, and no word on what its page may be given. What is used
of it is named here alone, pyproject.toml admits the versions that this was tried with,
and ``tests/runtime/http/page/test_netron_package.py`` fails where a version has it
otherwise.
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

# The page asks ipinfo.io where the reader is, and then for consent, where no such
# cookie is set.
CONSENT_COOKIE = "consent=0"


def viewer_files() -> dict[str, Path]:
    """The viewer's files by their names; none where netron is not installed."""
    spec = find_spec("netron")
    folders = (spec.submodule_search_locations or []) if spec else []
    return {
        path.name: path
        for folder in folders
        for path in Path(folder).iterdir()
        if path.suffix in TYPES and path.is_file()
    }


def own_page(page: str) -> str:
    """Netron's index.html as a page that is never out of date and reports nothing.

    As it comes, it counts its reader at Google, and after half a year wants to be
    updated.
    """
    page = re.sub(r'<meta name="date" content="[^"]*">\n?', "", page)
    # 0.0.0 is its developers' own; such a page does not count its readers.
    return re.sub(
        r'<meta name="version" content="[^"]*">',
        '<meta name="version" content="0.0.0">',
        page,
    )
