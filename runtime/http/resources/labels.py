"""Labels: names for versions, which can be moved."""

from __future__ import annotations

from typing import TypedDict

import falcon

from runtime.catalogue import Catalogue
from runtime.errors import InvalidInput
from runtime.http.body import read_json
from runtime.http.versions import check_version, version_query
from runtime.publishing.publisher import Publisher


class LabelRequest(TypedDict):
    """The version to which a label shall point.

    Attributes:
        version: its number.
    """

    version: int


class LabelledVersion(TypedDict):
    """A label, and the version to which it points, or pointed until it was deleted.

    Attributes:
        name: the model's name.
        label: the label.
        version: the version's number.
    """

    name: str
    label: str
    version: int


class Labels:
    """``GET /models/{name}/labels``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer each label's version."""
        resp.media = self._catalogue.labels(name)

    on_head = on_get


class Label:
    """``PUT`` and ``DELETE /models/{name}/labels/{label}``."""

    def __init__(self, publisher: Publisher, max_bytes: int) -> None:
        self._publisher = publisher
        self._max_bytes = max_bytes

    def on_put(
        self, req: falcon.Request, resp: falcon.Response, name: str, label: str
    ) -> None:
        """Point the label to ``{"version": N}``, or to ``?version=N``."""
        number = self._read_version(req)
        self._publisher.set_label(name, label, number)
        resp.media = LabelledVersion(name=name, label=label, version=number)

    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, name: str, label: str
    ) -> None:
        """Delete the label; its version stays."""
        number = self._publisher.delete_label(name, label)
        resp.media = LabelledVersion(name=name, label=label, version=number)

    def _read_version(self, req: falcon.Request) -> int:
        asked = version_query(req)
        if asked is not None and not req.content_length:
            return asked
        body = read_json(req.env, self._max_bytes)
        if body.keys() != LabelRequest.__annotations__.keys():
            raise InvalidInput('send {"version": N}, the number, and no other key')
        number = check_version(body["version"])
        if asked not in (None, number):
            raise InvalidInput(
                f"?version= is {asked} and the body's 'version' is {number}; send one"
            )
        return number
