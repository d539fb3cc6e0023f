"""Uploads: bundles in each of TFaaS's forms become versions."""

from __future__ import annotations

from dataclasses import asdict

import falcon

from runtime.errors import InvalidInput
from runtime.http.body import is_multipart, read_stream, stream_form
from runtime.publishing.publisher import Publisher

# RFC 9110, 8.4.1.3, asks to read x-gzip as gzip.
_OLD_NAMES = {"x-gzip": "gzip"}


class Upload:
    """``POST /upload``: an archive of a bundle's folder, or its files as a form."""

    # An upload is unpacked on the way to the disk, under the archive's bounds; see
    # ChunkedBodies.
    reads_as_it_comes = True

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Publish the next version; answer its name, version and backend."""
        said = (req.get_header("Content-Encoding") or "identity").strip().lower()
        encoding = _OLD_NAMES.get(said, said)
        if encoding not in ("gzip", "base64", "identity"):
            raise falcon.HTTPUnsupportedMediaType(
                description=f"Content-Encoding {said[:40]!r} is not taken;"
                " send a zip, or a tar as it is or with gzip or base64"
            )
        is_base64 = encoding == "base64"
        name = _name_in_query(req)
        if is_multipart(req.env):
            if encoding == "gzip":
                raise falcon.HTTPUnsupportedMediaType(
                    description="Content-Encoding gzip is for an archive that is sent"
                    " as the body; send a form without it; its files may be gzipped"
                )
            published = self._publisher.publish_form(
                stream_form(req.env), name=name, is_base64=is_base64
            )
        else:
            published = self._publisher.publish(
                read_stream(req.env),
                name=name,
                gzipped=encoding == "gzip",
                is_base64=is_base64,
            )
        resp.media = asdict(published)


def _name_in_query(req: falcon.Request) -> str:
    """Return the query's ``name``, which TFaaS's clients may send; empty without."""
    names = req.get_param_as_list("name") or [""]
    if len(names) > 1:
        raise InvalidInput("the query has 'name' twice; send one")
    return names[0]
