"""The page for people, as a server sends it; tests/end_to_end/browser opens it."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.page import page
from runtime.services import create_services
from tests.clients import LocalClient

FOLDER = Path(page.__file__).with_name("app")
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.js"))


@pytest.fixture
def site(tmp_path):
    def client(**settings):
        config = Config(model_dir=tmp_path / "models", provider="cpu", **settings)
        return LocalClient(create_app(create_services(config), config))

    return client


class Links(HTMLParser):
    """The addresses that a page loads, or leads to."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found += [
            value
            for name, value in attributes
            if name in ("href", "src") and not value.startswith("#")
        ]


@pytest.mark.parametrize(
    ("base", "path"), [("", "/"), ("/ml", "/ml"), ("/ml", "/ml/"), ("/a/b", "/a/b")]
)
def test_all_that_the_page_loads_is_there(site, base, path):
    client = site(base=base)
    reply = client.simulate_get(path)
    assert reply.headers["Content-Type"].startswith("text/html")
    links = Links(reply.text).found
    assert len(links) > len(SCRIPTS)
    for link in links:
        found = urljoin(f"http://localhost{path}", link).removeprefix(
            "http://localhost"
        )
        assert found.startswith(base), link
        assert client.simulate_get(found).status_code == 200, link


def test_links_hold_behind_a_proxy_that_takes_a_prefix_off(site):
    """A browser asks /lab/, and the proxy asks /."""
    for link in Links(site().simulate_get("/").text).found:
        assert urljoin("http://lab.example/lab/", link).startswith(
            "http://lab.example/lab/"
        )


def test_the_page_may_ask_nobody_else_and_runs_nothing_inline(site):
    policy = site().simulate_get("/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    for directive in ("frame-ancestors", "base-uri", "form-action"):
        assert rules[directive] == "'none'"


def test_texts_are_never_read_as_html():
    """One function puts texts into the page, as text nodes."""
    for path in FOLDER.glob("*.js"):
        script = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write", script
        )
        assert not re.search(
            r"\beval\(|new Function|https?://(?!www\.w3\.org/2000)\w", script
        )


def test_the_page_is_light(site):
    client = site()
    links = {"/", *Links(client.simulate_get("/").text).found}
    own = [link for link in links if "page/" in link or link == "/"]
    weight = sum(len(client.simulate_get(urljoin("/", link)).content) for link in own)
    assert weight < 150_000


def test_the_page_needs_no_token_and_names_no_model(site, tmp_path):
    (tmp_path / "models" / "secret").mkdir(parents=True)
    client = site(predict_tokens=("0" * 64,), token_header="X-Token")
    page = client.simulate_get("/")
    assert page.status_code == 200
    assert "secret" not in page.text
    assert 'data-token-header="X-Token"' in page.text
    assert client.simulate_get("/live").status_code == 401


def test_a_browser_without_scripts_is_led_on(site):
    page = site().simulate_get("/").text
    without = page[page.index("<noscript>") : page.index("</noscript>")]
    assert {"./models", "./docs", "./status"} <= set(Links(without).found)


def test_a_browser_that_has_a_file_gets_it_only_once(site):
    client = site()
    for path in ("/", "/page/main.js"):
        reply = client.simulate_get(path)
        assert reply.headers["Cache-Control"] == "no-cache"
        again = client.simulate_get(
            path, headers={"If-None-Match": reply.headers["ETag"]}
        )
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("file", ["index.html", "page.py", "../page.py", "x.js", ""])
def test_nothing_else_is_sent(site, file):
    assert site().simulate_get(f"/page/{file}").status_code == 404
