"""``python -m tools.screenshots BUNDLE`` makes the pictures in docs/images/.

It serves the bundle in two versions beside two small models, sends requests of a
changing rate for a minute, so that the charts have something to show, draws a digit,
and takes the pictures of the page and of the bundle's report with Chromium. ``trainer
run --fout=mnist --epochs=4`` makes a bundle whose report shows several epochs.
``python -m tools.recordings`` makes the pictures of terminals.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.documents import ROOT
from tests.end_to_end.browser.conftest import ARGUMENTS, NAMES
from tests.end_to_end.browser.pages import THREE, draw
from tools.showcase import showcase

FOLDER = ROOT / "docs" / "images"
SECONDS = 75
DESKTOP = {"width": 1280, "height": 1240}
PHONE = {"width": 390, "height": 844}
REPORT = {"width": 1000, "height": 1580}  # down to the matrix of mistakes

# The label, the size of the window, the theme.
PICTURES = (
    ("page", DESKTOP, "light"),
    ("page-dark", DESKTOP, "dark"),
    ("page-phone", PHONE, "light"),
)


def main() -> None:
    """Make all pictures."""
    bundle = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, showcase(Path(name), bundle) as url:
        _take(url)


def _take(url: str) -> None:
    program = next(filter(None, map(shutil.which, NAMES)))
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS), chromium_sandbox=False
        )
        pages = [_open(browser, url, *picture[1:]) for picture in PICTURES]
        time.sleep(SECONDS)
        for (label, *_), page in zip(PICTURES, pages, strict=True):
            draw(page, THREE)
            expect(page.locator(".verdict b")).to_have_text("3")
            page.locator(".pad canvas").evaluate("(pad) => pad.blur()")
            page.wait_for_timeout(500)  # the bars grow to their length
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=FOLDER / f"{label}.png")
        report = browser.new_page(viewport=REPORT)
        report.goto(f"{url}/models/mnist/3/report")
        report.screenshot(path=FOLDER / "report.png")
        browser.close()


def _open(browser: Browser, url: str, size: dict[str, int], scheme: str):
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
    page.goto(f"{url}/#/mnist")
    expect(page.locator("h1")).to_have_text("mnist")
    return page


if __name__ == "__main__":
    main()
