"""A model, as the Open Inference Protocol v2 and Triton ask about it."""

from __future__ import annotations

import falcon

from runtime.models.registry import ModelRegistry
from runtime.publishing.repository import Repository
from runtime.wire.oip import bodies
from runtime.wire.oip.asked import spec_of
from runtime.wire.oip.metadata import all_statistics, config_of, metadata_of


class ModelMetadata:
    """``GET /v2/models/{name}``, also below ``/versions/{version}``.

    Args:
        registry: the registry, which loads the model: only the model itself knows the
            names and shapes of its inputs.
        repository: the repository, which knows its versions.
    """

    def __init__(self, registry: ModelRegistry, repository: Repository) -> None:
        self._registry = registry
        self._repository = repository

    def on_get(self, req: falcon.Request, resp: falcon.Response, **places: str) -> None:
        """Answer its versions, engine, inputs and outputs."""
        spec = spec_of(**places)
        model = self._registry.get(spec)
        versions = self._repository.versions(spec)
        resp.media = metadata_of(spec.name, versions, model)

    on_head = on_get


class ModelConfig:
    """``GET /v2/models/{name}/config``, also below ``/versions/{version}``."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def on_get(self, req: falcon.Request, resp: falcon.Response, **places: str) -> None:
        """Answer the model's config in Triton's form."""
        spec = spec_of(**places)
        resp.media = config_of(spec.name, self._registry.get(spec))

    on_head = on_get


class ModelReady:
    """``GET /v2/models/{name}/ready``, also below ``/versions/{version}``."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def on_get(self, req: falcon.Request, resp: falcon.Response, **places: str) -> None:
        """Answer whether the model answers inferences; the first one may load it."""
        spec = spec_of(**places)
        is_ready = not self._repository.reason(spec)
        resp.media = bodies.ModelReady(name=spec.name, ready=is_ready)
        if not is_ready:
            resp.status = falcon.HTTP_503

    on_head = on_get


class ModelStatistics:
    """``GET /v2/models/stats`` and ``/v2/models/{name}/stats``.

    The latter stands also below ``/versions/{version}``.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def on_get(self, req: falcon.Request, resp: falcon.Response, **places: str) -> None:
        """Answer the counts of each version, in Triton's form."""
        spec = spec_of(**places) if places else None
        counts = all_statistics(self._repository, spec)
        resp.media = bodies.Statistics(model_stats=counts)

    on_head = on_get
