"""Clients talk to an application without a server."""

from __future__ import annotations

from typing import Any

from falcon.testing import TestClient


class LocalClient(TestClient):
    """A client on the service's own machine, which asks as curl does there."""

    __test__ = False

    def __init__(self, app: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(app, headers={"Host": "localhost:8083", **(headers or {})})

    def simulate_request(self, *args: Any, **kwargs: Any) -> Any:
        """Send the base's request, from 127.0.0.1 unless another address is given."""
        kwargs.setdefault("remote_addr", "127.0.0.1")
        return super().simulate_request(*args, **kwargs)


# ``falcon.testing.create_environ`` takes these for the same client.
HERE = {"host": "localhost:8083", "remote_addr": "127.0.0.1"}
