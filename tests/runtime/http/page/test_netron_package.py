"""netron's page and scripts are as they were when this project adapted them.

If a test fails after an update, see runtime/http/page/netron_package.py, and then the
dependency's range in pyproject.toml.
"""

from collections import Counter
from html.parser import HTMLParser
from importlib.metadata import version

import pytest

from runtime.http.page.netron_package import (
    CONSENT_COOKIE,
    PAGE,
    own_page,
    viewer_files,
)


class Tags(HTMLParser):
    """A parser that keeps every tag of a page, with its attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, *attrs))


def tags(page):
    return Counter(Tags(page).found)


@pytest.fixture(scope="module")
def page():
    return viewer_files()[PAGE].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script():
    return viewer_files()["browser.js"].read_text(encoding="utf-8")


def test_the_page_tells_its_version_and_its_date_and_ours_neither(page):
    found, ours = tags(page), tags(own_page(page))
    told = ("meta", ("name", "version"), ("content", version("netron")))
    dates = [tag for tag in found if ("name", "date") in tag]
    assert found[told] == 1
    assert len(dates) == 1
    # Nothing else is different.
    found.subtract([told, *dates])
    found[("meta", ("name", "version"), ("content", "0.0.0"))] = 1
    assert +found == ours


def in_order(script, *pieces):
    """Tell whether a script has all pieces, each once and in this order."""
    places = [script.find(piece) for piece in pieces]
    once = all(script.count(piece) == 1 for piece in pieces)
    return once and places == sorted(places)


def test_a_page_without_a_date_is_as_old_as_today(script):
    assert in_order(
        script,
        "date: Array.isArray(this._meta.date) && this._meta.date.length > 0",
        "new Date(`${this._meta.date[0].split(' ').join('T')}Z`) : new Date(),",
        "(new Date() - new Date(this._environment.date)) / (24 * 60 * 60 * 1000);",
        "'Please update to the newest version.'",
    )


def test_a_page_of_version_0_0_0_counts_no_reader(script):
    assert in_order(
        script,
        "packaged: this._meta.version && this._meta.version[0] !== '0.0.0',",
        "const telemetry = async () => {\n"
        "            if (this._environment.packaged) {",
        "this._telemetry.start(",
        "await telemetry();",
    )


def test_who_has_the_cookie_is_not_asked_for_consent(script):
    name, value = CONSENT_COOKIE.split("=")
    assert value, "an empty cookie is none to the script"
    assert in_order(
        script,
        f"if (this._getCookie('{name}') || this._getCookie('_ga')) {{\n"
        "                return;",
        "'https://ipinfo.io/json'",
        "await consent();",
    )
