"""What goes wrong in a measurement."""

from __future__ import annotations

from bundle.errors import DomainError


class BenchError(DomainError):
    """Something cannot be measured; the sentence says what, and why."""
