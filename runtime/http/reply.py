"""Writing a reply's body."""

from __future__ import annotations

import falcon
import numpy as np
import orjson

from runtime.prediction.answers import Answer

# Without a line's end two replies run together in a terminal.
_OPTION = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


def to_json(media: object) -> bytes:
    """Write a resource's answer as JSON; it may hold numpy arrays and dataclasses."""
    return orjson.dumps(media, default=_to_lists, option=_OPTION)


def name_engine(resp: falcon.Response, answer: Answer) -> None:
    """Name the backend and the version that answered in the reply's headers."""
    resp.set_headers(
        (("X-Model-Backend", answer.backend), ("X-Model-Version", str(answer.version)))
    )


def _to_lists(value: object) -> object:
    # orjson writes arrays of numbers, but no arrays of texts and none without an axis.
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
