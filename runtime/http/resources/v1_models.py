"""A model, as TensorFlow Serving's clients ask about it."""

from __future__ import annotations

import falcon

from bundle.errors import ModelNotFound
from bundle.spec import ModelSpec
from runtime.errors import InvalidInput
from runtime.http.resources.v1_predict import not_found, spec_of
from runtime.models.registry import ModelRegistry
from runtime.publishing.repository import Repository
from runtime.wire.tfs.metadata import metadata_of, status_of


class NoModel:
    """``GET /v1/models``, which TensorFlow Serving does not answer, either."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Refuse the request.

        Raises:
            InvalidInput: always.
        """
        raise InvalidInput("Missing model name in request.")

    on_head = on_get


class VersionStates:
    """``GET /v1/models/{name}``, also of a version or a label."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def on_get(self, req: falcon.Request, resp: falcon.Response, **places: str) -> None:
        """Answer the state of each version, newest first."""
        spec = spec_of(places)
        try:
            numbers = self._repository.versions(spec)
        except ModelNotFound as ex:
            raise _no_versions(spec) from ex
        if not numbers:
            raise _no_versions(spec)
        states = []
        for number in numbers:
            try:
                reason = self._repository.reason(ModelSpec(spec.name, number))
            except ModelNotFound:
                continue  # somebody deleted it after it was listed
            states.append((number, reason))
        resp.media = status_of(states)

    on_head = on_get


class SignatureMetadata:
    """``GET /v1/models/{name}/metadata``, also of a version or a label.

    Args:
        registry: the registry, which loads the model: only the model itself knows the
            names and shapes of its inputs.
    """

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def on_get(self, req: falcon.Request, resp: falcon.Response, **places: str) -> None:
        """Answer the model's one signature."""
        spec = spec_of(places)
        try:
            model = self._registry.get(spec)
        except ModelNotFound as ex:
            raise not_found(spec) from ex
        resp.media = metadata_of(spec.name, model)

    on_head = on_get


def _no_versions(spec: ModelSpec) -> Exception:
    """Make TensorFlow Serving's error for a state that nobody knows."""
    name = spec.name[:128]
    if spec.label is not None:
        return not_found(spec)
    if spec.version is not None:
        return ModelNotFound(f"Could not find version {spec.version} of model {name}")
    return ModelNotFound(f"Could not find any versions of model {name}")
