"""The documentation's site is read from a disk, without a network.

``make check`` builds all of the site. These tests build a few pages, by the same
settings, because all of them take a quarter of a minute.
"""

import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.documents import ROOT
from tools.site import foreign_assets
from tools.site_review import looked_at

# The first page, one with wide tables, one with pictures of terminals, and one that
# has the word for which the tests search.
PAGES = ("docs/README", "docs/reference/metrics", "docs/client", "docs/securing")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of a site of these pages."""
    folder = tmp_path_factory.mktemp("site")
    only = ",".join(f"{page}.md" for page in PAGES)
    build = [sys.executable, "-m", "sphinx", "--quiet", "-c", ROOT / "docs"]
    # Links to the other pages lead nowhere here; make check fails for such a link.
    subprocess.run(
        [*build, "-D", f"include_patterns={only}", ROOT, folder],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return folder


def test_a_search_finds_a_page_offline(site, page, faults):
    # The search finds pages without requests. It may not read them for an excerpt,
    # which it shows where a server sends the site.
    faults.expect("Access to fetch", "Failed to load", "Failed to fetch")
    page.goto((site / "index.html").as_uri())
    expect(page.get_by_role("heading", name="Documentation")).to_be_visible()
    page.get_by_role("textbox", name="Search").fill("waitress loopback")
    page.keyboard.press("Enter")
    page.locator("#search-results").get_by_role("link", name="Securing").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Securing")


@pytest.mark.parametrize("name", PAGES[:3])
def test_pages_fit_a_phone_and_are_accessible(site, page, name):
    page.set_viewport_size({"width": 375, "height": 800})
    page.emulate_media(color_scheme="dark" if name == PAGES[1] else "light")
    page.goto((site / f"{name}.html").as_uri())
    assert list(looked_at(page)) == []


def test_wide_tables_scroll_in_their_own_box(site, page):
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto((site / "docs/reference/metrics.html").as_uri())
    box = page.locator(".table-wrapper").first
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth")


def test_links_are_named_after_pages_and_lead_to_them(site, page):
    page.goto((site / "docs/README.html").as_uri())
    link = page.locator("article").get_by_role("link", name="Securing").first
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Securing")


def test_nothing_comes_from_another_host(site):
    assert list(foreign_assets(site)) == []


def test_something_from_another_host_is_found(tmp_path):
    (tmp_path / "page.html").write_text(
        '<link rel="stylesheet" href="https://fonts.example/a.css">'
        '<link rel="next" href="https://elsewhere.example/">'
        '<a href="https://elsewhere.example/">a link</a><img src="b.png">'
        '<script src="//cdn.example/c.js"></script>'
    )
    (tmp_path / "d.svg").write_text("src: url(https://cdn.example/e.woff2)\n")
    (tmp_path / "f.css").write_text("a: url( '//cdn.example/g.png')\nb: url(h.png)\n")
    assert [line.split(" loads ")[1] for line in foreign_assets(tmp_path)] == [
        "https://fonts.example/a.css",
        "//cdn.example/c.js",
        "src: url(https://cdn.example/e.woff2)",
        "a: url( '//cdn.example/g.png')",
    ]
