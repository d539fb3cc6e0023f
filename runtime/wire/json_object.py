"""Reading a JSON object, as the requests of several doors have it."""

from __future__ import annotations

from typing import Any

import orjson

from runtime.errors import InvalidInput


def read_object(text: bytes | memoryview) -> dict[str, Any]:
    """Read a body that is one JSON object; a memoryview is not copied.

    Raises:
        InvalidInput: the body is no JSON object, is cut short, is nested deeper than
            orjson's 1024, or holds a number beyond float64.
    """
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as ex:
        raise InvalidInput(
            f"the body is not JSON: it cannot be read at line {ex.lineno}, column"
            f" {ex.colno}"
        ) from ex
    if not isinstance(content, dict):
        raise InvalidInput("the body must be one JSON object")
    return content
