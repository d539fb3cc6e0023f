"""The store's models: listed, described, uploaded, deleted."""

from __future__ import annotations

import falcon

from runtime.catalogue import Catalogue
from runtime.errors import InvalidInput
from runtime.publisher import Publisher
from runtime.resources.body import is_multipart, read_form, read_stream, text_field


class Models:
    """``GET /models``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer an array of params.json objects, and how each is served."""
        resp.media = self._catalogue.models()

    on_head = on_get


class ModelParams:
    """``GET /params/{name}``."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer the served version's params.json."""
        resp.media = self._catalogue.params(name)

    on_head = on_get


class Upload:
    """``POST /upload``: a tar of a bundle's folder, gzipped or not."""

    # Unpacked on the way to the disk, under the archive's bounds; see ChunkedBodies.
    reads_as_it_comes = True

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Publish the next version; answer its name, version and backend."""
        encoding = (req.get_header("Content-Encoding") or "identity").lower()
        if encoding not in ("gzip", "identity"):
            raise falcon.HTTPUnsupportedMediaType(
                description=f"Content-Encoding {encoding[:40]!r} is not taken;"
                " send a tar, as it is or with gzip"
            )
        if is_multipart(req):
            raise falcon.HTTPUnsupportedMediaType(
                description="send the tar itself: curl -X POST -H"
                " 'Content-Type: application/octet-stream' --data-binary @NAME.tar.gz"
            )
        published = self._publisher.publish(
            read_stream(req), gzipped=encoding == "gzip"
        )
        resp.media = {
            "name": published.name,
            "version": published.version,
            "backend": published.backend,
            "fallback_reason": published.fallback_reason,
        }


class Delete:
    """``DELETE /delete/{name}``, and ``DELETE /delete`` with the field ``model``."""

    def __init__(self, publisher: Publisher, max_bytes: int) -> None:
        self._publisher = publisher
        self._max_bytes = max_bytes

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Delete the model that the form names."""
        if not is_multipart(req):
            raise InvalidInput(
                "no model name is provided: send it as a multipart field, curl -X"
                " DELETE -F model=NAME, or DELETE /delete/NAME"
            )
        form = read_form(req, self._max_bytes, "model")
        self._delete(text_field(form, "model"), resp)

    def on_delete_named(
        self, req: falcon.Request, resp: falcon.Response, name: str
    ) -> None:
        """Delete the model that the path names."""
        self._delete(name, resp)

    def _delete(self, name: str, resp: falcon.Response) -> None:
        self._publisher.delete(name)
        resp.media = {"deleted": name}
