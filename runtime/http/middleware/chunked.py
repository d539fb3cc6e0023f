"""Bodies of unknown length, which a client sends with Transfer-Encoding: chunked."""

from __future__ import annotations

import io

import falcon

from bundle.errors import TooLarge

# So many bytes are read at a time. A body may be far shorter than its limit.
_PIECE = 1 << 16


class ChunkedBodies:
    """Reads a whole body of unknown length, so that each resource knows its length.

    waitress does so by itself. `runtime serve` and others give such a body without a
    Content-Length, and then Falcon's ``bounded_stream`` is empty. A resource that reads
    the body as it comes has ``reads_as_it_comes = True``, and sets its own bounds.

    Args:
        max_bytes: the most bytes of such a body.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    def read(self, req: falcon.Request, resource: object) -> None:
        """Read the body, after it is known that the resource may be asked.

        Args:
            req: a request that has the header Transfer-Encoding, or a Content-Length
                that may be no number.
            resource: the resource of its route.

        Raises:
            TooLarge: the body is above its limit.
            HTTPInvalidHeader: its Content-Length is no number.
        """
        if req.content_length is not None or "HTTP_TRANSFER_ENCODING" not in req.env:
            return
        if getattr(resource, "reads_as_it_comes", False):
            return
        body = io.BytesIO()
        while piece := req.stream.read(_PIECE):
            if body.tell() + len(piece) > self._max_bytes:
                raise TooLarge(f"the body is larger than {self._max_bytes} bytes")
            body.write(piece)
        req.env["CONTENT_LENGTH"] = str(body.tell())
        body.seek(0)
        req.stream = req.env["wsgi.input"] = body
