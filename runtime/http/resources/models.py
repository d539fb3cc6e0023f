"""The store's models and their versions: they are listed, described and deleted."""

from __future__ import annotations

from typing import NotRequired, TypedDict

import falcon

from bundle.packing import Packed
from bundle.spec import read_version
from runtime.catalogue import Catalogue
from runtime.errors import InvalidInput
from runtime.http.body import is_multipart, read_parts, texts_of
from runtime.publishing.publisher import Publisher


class DeleteForm(TypedDict):
    """The form that deletes a model.

    Attributes:
        model: the model's name.
    """

    model: str


class DeletedModel(TypedDict):
    """A model that was deleted.

    Attributes:
        deleted: its name.
    """

    deleted: str


class DeletedVersion(DeletedModel):
    """A version that was deleted.

    Attributes:
        deleted: the model's name.
        version: the version's number.
        left: another folder with this number, which is now the version, if there is
            one.
    """

    version: int
    left: NotRequired[str]


class Models:
    """``GET /models``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer an array of params.json objects, each with the state of its model."""
        resp.media = self._catalogue.models()

    on_head = on_get


class Model:
    """``GET /models/{name}``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer the model's labels and versions."""
        resp.media = self._catalogue.model(name)

    on_head = on_get


class ModelVersion:
    """``GET`` and ``DELETE /models/{name}/{version}``."""

    def __init__(self, catalogue: Catalogue, publisher: Publisher) -> None:
        self._catalogue = catalogue
        self._publisher = publisher

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, name: str, version: str
    ) -> None:
        """Answer the description of the version."""
        resp.media = self._catalogue.version(name, read_version(version))

    on_head = on_get

    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, name: str, version: str
    ) -> None:
        """Delete the version."""
        number = read_version(version)
        left = self._publisher.delete_version(name, number)
        deleted = DeletedVersion(deleted=name, version=number)
        if left:
            deleted["left"] = left
        resp.media = deleted


class Archive:
    """``GET /models/{name}/{version}/bundle``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, name: str, version: str
    ) -> None:
        """Answer the version's bundle as a tar.gz, which /upload takes."""
        self._open(resp, name, version)

    def on_head(
        self, req: falcon.Request, resp: falcon.Response, name: str, version: str
    ) -> None:
        """Answer as GET does, without the content, whose length is not known before."""
        self._open(resp, name, version).close()

    def _open(self, resp: falcon.Response, name: str, version: str) -> Packed:
        number = read_version(version)
        packed = self._catalogue.bundle(name, number)
        resp.content_type = "application/gzip"
        resp.downloadable_as = f"{name}-{number}.tar.gz"
        resp.stream = packed
        return packed


class Delete:
    """``DELETE /delete/{name}``, and ``DELETE /delete`` with the field ``model``."""

    def __init__(self, publisher: Publisher, max_bytes: int) -> None:
        self._publisher = publisher
        self._max_bytes = max_bytes

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Delete the model that the form names."""
        if not is_multipart(req.env):
            raise InvalidInput(
                "no model name is provided: send it as a multipart field, curl -X"
                " DELETE -F model=NAME, or DELETE /delete/NAME"
            )
        fields = DeleteForm.__annotations__
        parts = read_parts(req.env, self._max_bytes, *fields)
        self._delete(texts_of(parts, fields)["model"], resp)

    def on_delete_named(
        self, req: falcon.Request, resp: falcon.Response, name: str
    ) -> None:
        """Delete the model that the path names."""
        self._delete(name, resp)

    def _delete(self, name: str, resp: falcon.Response) -> None:
        self._publisher.delete(name)
        resp.media = DeletedModel(deleted=name)
