"""Writing a reply's body."""

from __future__ import annotations

import falcon
import numpy as np
import orjson

from runtime.prediction.answers import Answer


def to_json(media: object) -> bytes:
    """JSON of what resources answer: numpy arrays and dataclasses among it."""
    # A line's end, or two replies run together in a terminal.
    option = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(media, default=_to_lists, option=option)


def name_engine(resp: falcon.Response, answer: Answer) -> None:
    """Tell in the headers who answered a prediction."""
    resp.set_header("X-Model-Backend", answer.backend)
    resp.set_header("X-Model-Version", str(answer.version))


def _to_lists(value: object) -> object:
    # orjson writes arrays of numbers; those of texts, or of no axis, it hands over.
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
