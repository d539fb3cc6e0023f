"""The model that a request asks for, and the errors about a model that is not there."""

from __future__ import annotations

from bundle.errors import DomainError, ModelNotFound
from bundle.spec import ModelSpec
from runtime.errors import InvalidInput

_NAME = 128


def not_found(spec: ModelSpec) -> DomainError:
    """Make TensorFlow Serving's error for a model that does not answer."""
    if spec.label is not None:
        return InvalidInput(
            f"Unrecognized servable version label: {spec.label[:_NAME]}"
        )
    name = spec.name[:_NAME]
    asked = f"Latest({name})"
    if spec.version is not None:
        asked = f"Specific({name}, {spec.version})"
    return ModelNotFound(f"Servable not found for request: {asked}")


def no_versions(spec: ModelSpec) -> DomainError:
    """Make TensorFlow Serving's error for a model whose states nobody knows."""
    name = spec.name[:_NAME]
    if spec.label is not None:
        return not_found(spec)
    if spec.version is not None:
        return ModelNotFound(f"Could not find version {spec.version} of model {name}")
    return ModelNotFound(f"Could not find any versions of model {name}")
