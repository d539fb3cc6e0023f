"""The model that a request of the protocol asks for."""

from __future__ import annotations

from bundle.spec import ModelSpec, read_version


def spec_of(name: str, version: str | None = None) -> ModelSpec:
    """Return the model, and perhaps the version, that a request names.

    Args:
        name: the model's name.
        version: the version's number; None or an empty text is the one that serves.

    Raises:
        ModelNotFound: the version is no number.
    """
    if not version:
        return ModelSpec(name)
    # Zeros before a number mean nothing to Triton.
    return ModelSpec(name, read_version(version.lstrip("0") or "0"))
