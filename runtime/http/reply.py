"""Writing a reply's body, and the reply to a prediction."""

from __future__ import annotations

import functools
import hashlib
from typing import NamedTuple

import falcon
import numpy as np
import orjson

# Without a line's end two replies run together in a terminal.
_OPTION = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE

# A browser must never take a model's file or name for a page.
NO_SNIFF = ("X-Content-Type-Options", "nosniff")
# Answers about models change, so no cache may keep them.
NO_STORE = ("Cache-Control", "no-store")

Headers = tuple[tuple[str, str], ...]

# So many numbers of outputs are written within a millisecond.
QUICK_NUMBERS = 20_000


class Reply(NamedTuple):
    """The reply to a prediction that succeeded.

    Attributes:
        body: its bytes.
        backend: the engine that answered, as ``engine/device``.
        version: the model's version in the store.
        content_type: the body's media type.
        more: headers of this reply alone.
    """

    body: bytes
    backend: str
    version: int | None
    content_type: str = falcon.MEDIA_JSON
    more: Headers = ()


@functools.lru_cache(maxsize=1024)
def headers_of(content_type: str, backend: str, version: int | None) -> Headers:
    """Return the headers of a prediction that are the same in many replies."""
    return (
        ("Content-Type", content_type),
        ("X-Model-Backend", backend),
        ("X-Model-Version", str(version)),
        NO_SNIFF,
        NO_STORE,
    )


def is_known(req: falcon.Request, resp: falcon.Response, content: bytes) -> bool:
    """Tell whether the client has this content already, and answer 304 then.

    Args:
        req: the request, which may have marks in ``If-None-Match``.
        resp: its answer, which gets the content's mark.
        content: the content, from which the mark is made. The mark is a weak one,
            because the content may be packed on the wire.
    """
    mark = falcon.ETag(hashlib.sha256(content).hexdigest()[:16])
    mark.is_weak = True
    resp.etag = mark.dumps()
    known = req.if_none_match or []
    if not any(one == "*" or one == mark for one in known):
        return False
    resp.status = falcon.HTTP_304
    return True


def to_json(media: object) -> bytes:
    """Write a resource's answer as JSON; it may hold numpy arrays and dataclasses."""
    return orjson.dumps(media, default=_to_lists, option=_OPTION)


def _to_lists(value: object) -> object:
    # orjson writes arrays of numbers, but no arrays of texts and none without an axis.
    # It knows only one of numpy's two scalars of 64 bits.
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
