"""The OpenAPI document is valid, describes each route, and follows the settings."""

from dataclasses import replace

import pytest
import schemathesis

from runtime.access.gate import Access, Gate
from runtime.http.openapi.document import GROUPS, describe, make_document
from runtime.http.routes import ROUTES, Route

DIGESTS = ("0" * 64,)


@pytest.mark.parametrize("base", ["", "/ml"])
def test_the_document_is_valid_openapi(base):
    document = make_document(Gate(DIGESTS, DIGESTS), base)
    schemathesis.openapi.from_dict(document).validate()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": base or "/"}]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method + route.path)
def test_each_route_is_described(route):
    try:
        describe(route)
    except LookupError as ex:
        pytest.fail(f"{ex}; write an entry for it in one of the tables there")


def test_nothing_else_is_described_and_nothing_twice():
    rows = [f"{route.method} {route.shown}" for route in ROUTES]
    described = [key for operations in GROUPS.values() for key in operations]
    assert sorted(described) == sorted(rows)


def test_a_route_that_is_described_nowhere_is_an_error():
    route = Route("GET", "/moods", Access.OPEN, "tells the mood")
    with pytest.raises(LookupError, match="GET /moods"):
        make_document(Gate(), routes=[*ROUTES, route])


def test_no_two_operations_have_one_id():
    paths = make_document(Gate())["paths"]
    ids = [one["operationId"] for path in paths.values() for one in path.values()]
    assert len(set(ids)) == len(ids) == len(ROUTES)


@pytest.mark.parametrize(
    ("gate", "reader", "writer"),
    [
        (Gate(), None, None),
        (Gate(write=DIGESTS), None, [{"writer": []}]),
        (Gate(write=DIGESTS, predict=DIGESTS), [{"reader": []}], [{"writer": []}]),
    ],
)
def test_routes_ask_for_the_tokens_that_the_service_asks_for(gate, reader, writer):
    paths = make_document(gate)["paths"]
    assert paths["/predict"]["post"].get("security") == reader
    assert paths["/upload"]["post"].get("security") == writer
    assert "security" not in paths["/livez"]["get"]


def test_a_header_of_tokens_with_another_name():
    def scheme(gate):
        return make_document(gate)["components"]["securitySchemes"]["writer"]

    assert scheme(Gate())["scheme"] == "bearer"
    other = scheme(Gate(header="X-Token"))
    assert (other["type"], other["in"], other["name"]) == (
        "apiKey",
        "header",
        "X-Token",
    )


def test_a_route_that_machines_ask_all_the_time_has_no_rate():
    (livez,) = (route for route in ROUTES if route.path == "/livez")
    quiet, other = (
        make_document(Gate(), routes=[replace(livez, is_quiet=is_quiet)])
        for is_quiet in (True, False)
    )
    assert "429" not in quiet["paths"]["/livez"]["get"]["responses"]
    assert "429" in other["paths"]["/livez"]["get"]["responses"]
