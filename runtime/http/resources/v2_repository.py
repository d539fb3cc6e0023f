"""The extension ``model_repository`` of the Open Inference Protocol v2."""

from __future__ import annotations

from typing import Any

import falcon

from runtime.errors import InvalidInput
from runtime.http.body import read_json
from runtime.http.environ_keys import Environ
from runtime.publishing.repository import Repository
from runtime.wire.oip.metadata import check_load, check_repository, index_of


class RepositoryIndex:
    """``POST /v2/repository/index``, also ``/v2/repository/{repository}/index``.

    The name of a repository means nothing, as in Triton: there is one.
    """

    def __init__(self, repository: Repository, max_bytes: int) -> None:
        self._repository = repository
        self._max_bytes = max_bytes

    def on_post(
        self, req: falcon.Request, resp: falcon.Response, **places: str
    ) -> None:
        """Answer the state of each version; with ``"ready": true`` of those ready."""
        only_ready = _read(req.env, self._max_bytes).get("ready")
        if not isinstance(only_ready, (bool, type(None))):
            raise InvalidInput("'ready' must be true or false")
        resp.media = index_of(self._repository, bool(only_ready))


class RepositoryLoad:
    """``POST /v2/repository/models/{name}/load``."""

    def __init__(self, repository: Repository, max_bytes: int) -> None:
        self._repository = repository
        self._max_bytes = max_bytes

    def on_post(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Load the model from the store, and answer nothing.

        Triton also takes a config and files of a model here. They would bring a model
        past all checks of an upload, and are refused.
        """
        check_load(_parameters(_read(req.env, self._max_bytes)))
        self._repository.load(name)


class RepositoryUnload:
    """``POST /v2/repository/models/{name}/unload``."""

    def __init__(self, repository: Repository, max_bytes: int) -> None:
        self._repository = repository
        self._max_bytes = max_bytes

    def on_post(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Unload the model, and answer nothing; it stays in the store."""
        # No model depends on another one, so ``unload_dependents`` means nothing here.
        _parameters(_read(req.env, self._max_bytes))
        self._repository.unload(name)


class NamedRepository:
    """``load`` and ``unload`` below ``/v2/repository/{repository}/models/{name}``."""

    def on_post(
        self, req: falcon.Request, resp: falcon.Response, **places: str
    ) -> None:
        """Refuse, as Triton does."""
        check_repository(places["repository"])


def _read(env: Environ, max_bytes: int) -> dict[str, Any]:
    """Read a JSON object; no body is an empty one."""
    return (
        {}
        if env.get("CONTENT_LENGTH") in (None, "", "0")
        else read_json(env, max_bytes)
    )


def _parameters(content: dict[str, Any]) -> dict[str, Any]:
    parameters = content.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidInput("'parameters' must be an object")
    return parameters
