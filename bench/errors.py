"""The error of a measurement."""

from __future__ import annotations

from bundle.errors import DomainError


class BenchError(DomainError):
    """A measurement failed; the sentence tells which one, and the reason."""
