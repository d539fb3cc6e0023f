"""A model, as TensorFlow Serving's clients ask about it."""

from __future__ import annotations

import falcon

from bundle.errors import ModelNotFound
from runtime.errors import InvalidInput
from runtime.http.resources.v1_predict import spec_of
from runtime.models.registry import ModelRegistry
from runtime.publishing.repository import Repository
from runtime.wire.tfs.asked import not_found
from runtime.wire.tfs.metadata import metadata_of, states_of, status_of


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
        resp.media = status_of(states_of(self._repository, spec_of(places)))

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
