"""The params.json of models: it is read, and a new version changes it."""

from __future__ import annotations

from dataclasses import asdict

import falcon

from runtime.catalogue import Catalogue
from runtime.errors import InvalidInput
from runtime.http.body import read_json
from runtime.http.query import spec_of
from runtime.http.versions import check_version
from runtime.publishing.publisher import Publisher


class Params:
    """``POST /params``."""

    def __init__(self, publisher: Publisher, max_bytes: int) -> None:
        self._publisher = publisher
        self._max_bytes = max_bytes

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the route to ask instead.

        TFaaS answers the params of the model that anybody uploaded last.
        """
        raise InvalidInput("no model name is provided: GET /params/NAME")

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Publish the next version, with other params; answer as an upload."""
        changes = read_json(req.env, self._max_bytes)
        name = changes.pop("name", None)
        if not isinstance(name, str):
            raise InvalidInput(
                "'name' must be a text, the name of the model; the other keys are those"
                " of params.json, with their new values"
            )
        number = changes.pop("version", None)
        if number is not None:
            check_version(number)
        resp.media = asdict(self._publisher.revise(name, number, changes))


class ModelParams:
    """``GET /params/{name}``, with ``?version=`` or ``?label=`` or neither."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer the version's params.json."""
        resp.media = self._catalogue.params(spec_of(req.env, name, {}))

    on_head = on_get
