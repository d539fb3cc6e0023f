"""Routes that tests here add to the application, which nobody may ask otherwise."""

import pytest

from runtime.access import RULES, Access
from runtime.middleware import authorize

ADDED = ("/answer/{name}", "/stream", "/bug", "/during", "/fails/{name}")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(autouse=True)
def open_routes(monkeypatch):
    added = {path: dict.fromkeys(METHODS, Access.OPEN) for path in ADDED}
    monkeypatch.setattr(authorize, "RULES", {**RULES, **added})
