"""``python -m tools.screenshots BUNDLE`` makes the pictures in docs/images/.

It serves the bundle in two versions beside two small models, sends requests of a
changing rate for a minute, so that the charts have something to show, draws a digit,
and takes the pictures of the page, of the bundle's report and of ``runtime top`` with
Chromium. ``trainer run --fout=mnist --epochs=4`` makes a bundle whose report shows
several epochs.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
import threading
import time
from html import escape
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Browser, expect, sync_playwright

from bundle.sample import read_sample
from tests.documents import ROOT
from tests.end_to_end.browser.conftest import ARGUMENTS, NAMES
from tests.end_to_end.browser.pages import THREE, draw
from tests.end_to_end.conftest import RUNTIME, run, serving
from tests.examples import write_bundle
from tests.forms import form, png
from tests.runtime.graphs import FLOAT, onnx_of

FOLDER = ROOT / "docs" / "images"
SECONDS = 75
FEATURES = ["sepal length", "sepal width", "petal length", "petal width"]
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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder / "models", bundle)
        with serving(f"{RUNTIME} --workers 2", folder) as server:
            end = threading.Event()
            load = threading.Thread(target=_ask, args=(server.url, bundle, end))
            load.start()
            try:
                _take(server.url)
            finally:
                end.set()
                load.join()


def _fill(models: Path, bundle: Path) -> None:
    for number in ("1", "2", "3"):
        shutil.copytree(bundle, models / "mnist" / number)
    (models / "mnist" / ".labels").mkdir()
    for label, number in (("stable", "3"), ("canary", "2")):
        (models / "mnist" / ".labels" / label).write_text(number)
    iris = onnx_of(
        [
            ("MatMul", ["row", "weights"], ["product"], {}),
            ("Softmax", ["product"], ["scores"], {}),
        ],
        [("row", FLOAT, ("n", 4))],
        [("scores", FLOAT, ("n", 3))],
        weights=np.random.default_rng(7).normal(size=(4, 3)).astype(np.float32),
    )
    write_bundle(
        models / "iris" / "1",
        name="iris",
        onnx_bytes=iris,
        labels=("setosa", "versicolor", "virginica"),
        params={"features": FEATURES, "img_channels": 0},
    )
    write_bundle(models / "pixels" / "1", name="pixels", proved=False)


def _ask(url: str, bundle: Path, end: threading.Event) -> None:
    """Ask with a rate that goes up and down, one image or several in a request."""
    sample = read_sample(bundle)
    assert sample is not None
    pictures = [png(image[:, :, 0]) for image in sample.images[:8]]
    row = {"model": "iris", "keys": FEATURES, "values": [5.1, 3.5, 1.4, 0.2]}
    begin = time.monotonic()
    with httpx.Client(base_url=url) as client:
        while not end.is_set():
            wave = 1 + math.sin((time.monotonic() - begin) / 9)
            several = pictures[: 1 + round(2 * wave)]
            body, headers = form(image=list(several), model="mnist")
            client.post("/predict/image", content=body, headers=headers)
            client.post("/predict/json", json=row)
            end.wait(0.02 + 0.05 * (2 - wave))


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
        _take_top(browser, url)
        browser.close()


def _take_top(browser: Browser, url: str) -> None:
    """Show what ``runtime top`` prints, in the colours of a terminal."""
    command = "runtime top --once"
    printed = run(f"{command} --url {url}", ROOT).replace(url, "http://localhost:8083")
    page = browser.new_page()
    page.set_content(
        "<pre style='display: inline-block; margin: 0; padding: 16px 24px;"
        " background: #14181d; color: #e7eaee; font: 15px/22px monospace'>"
        f"{escape(f'$ {command}')}\n{escape(printed)}</pre>"
    )
    page.locator("pre").screenshot(path=FOLDER / "top.png")


def _open(browser: Browser, url: str, size: dict[str, int], scheme: str):
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
    page.goto(f"{url}/#/mnist")
    expect(page.locator("h1")).to_have_text("mnist")
    return page


if __name__ == "__main__":
    main()
