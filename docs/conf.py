"""Settings of Sphinx, which makes a site of these pages: ``make site``.

The source folder is the repository itself, and not ``docs/``. So each link between
Markdown files that works where the repository is browsed works on the site, too.

The commands' pages are Markdown that ``make docs`` writes from ``--help``, so that they
can be read without the site. sphinx-click would write them a second time, for the site
alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]

project = "tfaas-onnx"
author = "the tfaas-onnx maintainers"
extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "docs/README"
include_patterns = ["docs/**", "*.md"]
# Sphinx walks through every folder that is not excluded, environments and stores too.
exclude_patterns = [
    path.name for path in ROOT.iterdir() if path.name != "docs" and path.suffix != ".md"
]
# A heading has GitHub's anchor.
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
# A quotation mark stays as it was written, because many of them stand for JSON.
smartquotes = False

html_theme = "furo"
html_title = "tfaas-onnx"
html_favicon = "../runtime/http/page/favicon.ico"
html_static_path = ["site.css", "site.js"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
# A site's first page is index.html, and this site's is where docs/README.md lies.
html_additional_pages = {"index": "to-docs.html"}
templates_path = ["."]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_use_index = False
# The accent and the paper of the service's own page.
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b64a0",
        "color-brand-content": "#0b64a0",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cbcf0",
        "color-brand-content": "#6cbcf0",
        "color-background-primary": "#0e1216",
        "color-background-secondary": "#171c22",
    },
    "footer_icons": [],
}

# Where the repository is browsed, the order of the pages is an unseen comment.
_TOCTREE = re.compile(r"<!-- toctree: (.+?)\n(.*?)-->", re.DOTALL)
# A link whose text is its file's name, which is no name of a page on the site.
_NAMED = re.compile(r"\[(?:[\w-]+/)*[\w-]+\.md\]\(((?:[\w.-]+/)*([\w-]+)\.md)(?=[#)])")


def setup(app: Sphinx) -> None:
    """Let the pages be read as they are written for the repository."""
    app.connect("source-read", _read)
    app.connect("doctree-read", _leave_what_is_no_page)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    """Make toctrees of comments, and the titles of pages the texts of their links."""
    folder = Path(app.srcdir, name).parent

    def titled(found: re.Match[str]) -> str:
        path = folder / found[1]
        if found[2] == "README" or not path.is_file():
            return found[0]
        return f"[{_title(path)}]({found[1]}"

    text = _TOCTREE.sub(r"```{toctree}\n:caption: \1\n:hidden:\n\n\2```", source[0])
    source[0] = _NAMED.sub(titled, text)


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _leave_what_is_no_page(app: Sphinx, document: nodes.document) -> None:
    """Make plain text of links to folders, and to pages that are not on the site.

    Links to other files stay: their targets are copied into the site. A link that
    leads nowhere stays, too, and Sphinx warns of it.
    """
    folder = Path(app.srcdir, app.env.docname).parent
    for link in list(document.findall(addnodes.pending_xref)):
        target = _target(app, folder, link)
        if target is not None and target.exists() and _no_page(app, target):
            link.replace_self(nodes.inline("", "", *link.children))


def _target(app: Sphinx, folder: Path, link: Any) -> Path | None:
    if link.get("reftype") != "myst":
        return None
    if link.get("refdomain") == "doc":
        return Path(app.srcdir, f"{link['reftarget']}.md")
    return (folder / link["reftarget"].partition("#")[0]).resolve()


def _no_page(app: Sphinx, target: Path) -> bool:
    return target.is_dir() or app.env.path2doc(str(target)) not in app.env.found_docs
