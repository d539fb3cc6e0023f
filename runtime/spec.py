"""Which model a request asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """A model, and at most one of a version and a label.

    Attributes:
        name: the model's.
        version: this very version.
        label: the version that the label points to. With neither, the one labelled
            stable answers, else the newest; config.json's ``traffic`` may send some of
            such requests to another label.
    """

    name: str
    version: int | None = None
    label: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether the client says which version must answer."""
        return self.version is not None or self.label is not None
