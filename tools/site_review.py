"""``python -m tools.site_review FOLDER`` looks at each page of ``site/`` in a browser.

It takes pictures of each page into the folder, at three widths, light and dark, and
prints what is wrong: a page that scrolls sideways, what axe says about accessibility,
an error in the console, and a request to another host. ``make site`` comes first. The
names of pages, such as ``docs/serving``, let it look at these alone.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.end_to_end.browser.conftest import ARGUMENTS, NAMES, Faults
from tools.site import SITE

WIDTHS = (375, 768, 1280)
THEMES = ("light", "dark")

# axe would read style sheets by requests that no page on a disk may make.
OPTIONS = {"preload": False}


def main() -> int:
    """Look at the pages, and return 1 if something is wrong."""
    folder, *names = sys.argv[1:]
    all_pages = (path.relative_to(SITE) for path in SITE.rglob("*.html"))
    # index.html only leads to another page.
    pages = names or sorted(
        str(path)[:-5] for path in all_pages if path.stem != "index"
    )
    program = next(filter(None, map(shutil.which, NAMES)))
    wrong = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS), chromium_sandbox=False
        )
        for width in WIDTHS:
            for theme in THEMES:
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=theme
                )
                faults = Faults()
                faults.watch(context)
                page = context.new_page()
                for name in pages:
                    page.goto((SITE / f"{name}.html").as_uri())
                    place = Path(folder, name.replace("/", "-"))
                    page.screenshot(path=f"{place}-{width}-{theme}.png")
                    for sentence in [*looked_at(page), *faults.taken()]:
                        print(f"{name}, {width} pixels, {theme}: {sentence}")
                        wrong += 1
                context.close()
        browser.close()
    return 1 if wrong else 0


def looked_at(page: Page) -> Iterator[str]:
    """Give a sentence for each fault of the page as it is shown."""
    beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if beyond > 0:
        yield f"it scrolls {beyond} pixels sideways"
    for violation in Axe().run(page, options=OPTIONS).response["violations"]:
        nodes = violation["nodes"]
        yield f"{violation['help']} ({len(nodes)} times): {nodes[0]['html'][:200]}"


if __name__ == "__main__":
    sys.exit(main())
