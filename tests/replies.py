"""Tests check replies with these functions."""

from __future__ import annotations

from falcon.testing import Result


def error_of(reply: Result, status: int = 400) -> str:
    """Return a refusal's sentence; its JSON must hold nothing else."""
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/json"
    assert "X-Model-Backend" not in reply.headers
    assert list(reply.json) == ["error"]
    return reply.json["error"]
