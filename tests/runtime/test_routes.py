"""One table of routes: the application's, the page's, and those of the documents."""

import re
from pathlib import Path

import falcon.inspect
import pytest

from runtime.app import create_app, create_services
from runtime.config import Config
from runtime.resources.page import ROUTES
from runtime.resources.static import FOLDERS
from tests.clients import LocalClient

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def application(tmp_path):
    for name in FOLDERS:
        (tmp_path / "static" / name).mkdir(parents=True)
    config = Config(
        model_dir=tmp_path / "models", static_dir=str(tmp_path / "static"), base="/ml"
    )
    return create_app(create_services(config), config)


def routes_of(application):
    """Method and path of all that the application answers, without its base.

    HEAD goes with GET, and Falcon's own OPTIONS with everything.
    """
    found = falcon.inspect.inspect_app(application)
    routes = {
        (method.method, route.path.removeprefix("/ml") or "/")
        for route in found.routes
        for method in route.methods
        if not method.internal and method.method not in ("HEAD", "OPTIONS")
    }
    assert not found.static_routes, "they take every method"
    # How Falcon is told that a name may hold slashes.
    return {(method, path.replace(":path}", "}")) for method, path in routes}


def table_of(text):
    """Method and path of each row that begins with one or several routes."""
    rows = re.findall(r"^\| (`[A-Z]+ /.*?) \|", text, re.M)
    return [
        tuple(cell) for row in rows for cell in re.findall(r"`([A-Z]+) (/\S*)`", row)
    ]


def test_the_page_lists_every_route_of_the_application(application):
    assert {(method, path) for method, path, _ in ROUTES} == routes_of(application)


HTTP = "docs/reference/http.md"
# It begins with the table of who may ask what; those of bodies and replies follow.
GENERATED, _, BY_HAND = (ROOT / HTTP).read_text().partition("<!-- end of generated -->")


@pytest.mark.parametrize(
    "text", [(ROOT / "ARCHITECTURE.md").read_text(), GENERATED, BY_HAND]
)
def test_the_tables_list_every_route_of_the_application_once(application, text):
    table = table_of(text)
    assert set(table) == routes_of(application)
    assert len(table) == len(set(table))


def test_the_page_shows_its_table_under_base(application):
    page = LocalClient(application).simulate_get("/ml").text
    for method, path, _ in ROUTES:
        assert f"<code>{method} /ml{path}</code>" in page
