"""Clients of an application without a server."""

from __future__ import annotations

from typing import Any

from falcon.testing import TestClient


class LocalClient(TestClient):
    """One on the service's own machine, as curl there asks it."""

    __test__ = False

    def __init__(self, app: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(app, headers={"Host": "localhost:8083", **(headers or {})})

    def simulate_request(self, *args: Any, **kwargs: Any) -> Any:
        """As the base, from 127.0.0.1 if nothing else is said."""
        kwargs.setdefault("remote_addr", "127.0.0.1")
        return super().simulate_request(*args, **kwargs)


# The same for ``falcon.testing.create_environ``.
HERE = {"host": "localhost:8083", "remote_addr": "127.0.0.1"}
