"""What tests look at in a reply."""

from __future__ import annotations

from falcon.testing import Result


def error_of(reply: Result, status: int = 400) -> str:
    """A refusal's sentence, which is all there is of it."""
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/json"
    assert "X-Model-Backend" not in reply.headers
    assert list(reply.json) == ["error"]
    return reply.json["error"]
