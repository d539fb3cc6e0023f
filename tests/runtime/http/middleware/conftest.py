"""Tests here add routes to the application that exist nowhere else."""

import pytest

from runtime.access.gate import Access
from runtime.http import application
from runtime.http.routes import ROUTES, Route

ADDED = ("/answer/{name}", "/stream", "/bug", "/during", "/fails/{name}")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(autouse=True)
def open_routes(monkeypatch):
    added = [
        Route(method, path, Access.OPEN, "a test's own")
        for path in ADDED
        for method in METHODS
    ]
    monkeypatch.setattr(application, "ROUTES", (*ROUTES, *added))
