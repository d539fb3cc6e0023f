"""One table of routes gives those of the application, the page and the documents."""

import re
from pathlib import Path

import falcon.inspect
import pytest

from runtime.access.gate import Access
from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.page.files import FOLDERS
from runtime.http.routes import ROUTES, Lane, Lanes, Route
from runtime.services import create_services
from tests.clients import LocalClient

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def application(tmp_path):
    for name in FOLDERS:
        (tmp_path / "static" / name).mkdir(parents=True)
    config = Config(
        model_dir=tmp_path / "models", static_dir=str(tmp_path / "static"), base="/ml"
    )
    return create_app(create_services(config), config)


def routes_of(application):
    """Return the method and path of each route of the application, without its base.

    HEAD is left out because it goes with GET, and OPTIONS because Falcon adds it.
    """
    found = falcon.inspect.inspect_app(application)
    routes = {
        (method.method, route.path.removeprefix("/ml") or "/")
        for route in found.routes
        for method in route.methods
        if not method.internal and method.method not in ("HEAD", "OPTIONS")
    }
    assert not found.static_routes, "they take every method"
    # Falcon reads this as a name that may hold slashes.
    return {(method, path.replace(":path}", "}")) for method, path in routes}


def table_of(text):
    """Return the method and path of each row that begins with one or several routes."""
    rows = re.findall(r"^\| (`[A-Z]+ /.*?) \|", text, re.M)
    return [
        tuple(cell) for row in rows for cell in re.findall(r"`([A-Z]+) (/\S*)`", row)
    ]


def test_the_table_has_every_route_of_the_application(application):
    rows = {(route.method, route.shown) for route in ROUTES}
    assert rows ^ routes_of(application) == set(), (
        "each row of ROUTES needs a line in _resources of runtime/http/application.py,"
        " and a responder (on_get, ...) in the resource; each responder needs its row"
    )


def test_head_is_answered_where_get_is(application):
    found = falcon.inspect.inspect_app(application)
    # Falcon's own responders, which answer 405, are internal.
    ours = {
        route.path: {method.method for method in route.methods if not method.internal}
        for route in found.routes
    }
    lacking = [path for path in ours if ours[path] & {"GET", "HEAD"} == {"GET"}]
    assert lacking == [], "write `on_head = on_get` below on_get of the resource"


HTTP = "docs/reference/http.md"
# The page begins with the table of who may ask what; the tables of bodies and replies
# follow.
GENERATED, _, BY_HAND = (ROOT / HTTP).read_text().partition("<!-- end of generated -->")


@pytest.mark.parametrize(
    ("text", "todo"),
    [
        pytest.param(
            (ROOT / "ARCHITECTURE.md").read_text(),
            "write each of these once in the table of ARCHITECTURE.md's section Routes",
            id="ARCHITECTURE.md",
        ),
        pytest.param(GENERATED, "run `make docs`", id="http.md, generated"),
        pytest.param(
            BY_HAND,
            f"write each of these once in one of the tables by hand in {HTTP}",
            id="http.md, by hand",
        ),
    ],
)
def test_the_tables_list_every_route_of_the_application_once(application, text, todo):
    table = table_of(text)
    assert set(table) ^ routes_of(application) == set(), todo
    assert [row for row in table if table.count(row) > 1] == [], todo


def test_the_page_shows_its_table_under_base(application):
    page = LocalClient(application).simulate_get("/ml/docs").text
    for route in ROUTES:
        assert f"<code>{route.method} /ml{route.shown}</code>" in page


def test_a_route_stands_in_the_table_once():
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_all_methods_of_a_path_share_its_lane_and_its_quiet():
    by_path = {}
    for route in ROUTES:
        by_path.setdefault(route.path, set()).add((route.lane, route.is_quiet))
    assert {path for path, said in by_path.items() if len(said) > 1} == set()


@pytest.mark.parametrize("base", ["", "/ml"])
@pytest.mark.parametrize(
    ("path", "lane"),
    [
        ("/predict/image", Lane.QUICK),
        ("/livez", Lane.QUICK),
        ("/upload", Lane.STREAMED),
        ("/metrics", Lane.OTHER),
        ("/models/mnist", Lane.OTHER),
        ("/v1/models/mnist:predict", Lane.QUICK),
        ("/v1/models/mnist/versions/1:classify", Lane.QUICK),
        ("/v1/models/mnist/labels/canary:regress", Lane.QUICK),
        ("/v1/models/mnist", Lane.OTHER),
        ("/v1/models/mnist:other", Lane.OTHER),
        ("/no/such/route", Lane.OTHER),
    ],
)
def test_the_lane_of_a_path(base, path, lane):
    assert Lanes(base=base).lane_of(base + path) is lane
    if base:
        assert Lanes(base=base).lane_of(path) is Lane.OTHER


@pytest.mark.parametrize(
    ("path", "lane"),
    [
        ("/v2/models/mnist/infer", Lane.QUICK),
        ("/v2/models/a.b-c/infer", Lane.QUICK),
        ("/v2/models//infer", Lane.OTHER),
        ("/v2/models/a/b/infer", Lane.OTHER),
        ("/v2/models/mnist", Lane.OTHER),
        ("/v2/models/mnist/infer/", Lane.OTHER),
    ],
)
def test_a_route_with_a_name_in_its_path_has_its_lane(path, lane):
    infer = Route("POST", "/v2/models/{name}/infer", Access.READ, "", lane=Lane.QUICK)
    assert Lanes([infer]).lane_of(path) is lane
