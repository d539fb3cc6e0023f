"""The text of a request: JSON, in which NaN and infinity may stand, too."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from runtime.errors import InvalidInput

# The one signature of each model, which answers requests that name none.
SIGNATURE = "serving_default"
EMPTY = "JSON Parse error: The document is empty"
# An error shows at most so many characters of a value.
_SHOWN = 128


def read_object(body: bytes) -> dict[str, Any]:
    """Read a body that is one JSON object.

    ``NaN``, ``Infinity`` and ``-Infinity`` are read as numbers.

    Raises:
        InvalidInput: the body is no JSON object, is cut short, is nested too deep, or
            holds a number beyond float64.
    """
    if not body:
        raise InvalidInput(EMPTY)
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as ex:
        # orjson knows no tokens beside those of JSON. Python's own reader takes several
        # times as long.
        if b"NaN" not in body and b"Infinity" not in body:
            raise _unreadable(ex.pos) from ex
        content = _read_tokens(body)
    if not isinstance(content, dict):
        raise InvalidInput(f"JSON Value: {shown(content)} Is not object")
    _check_signature_text(content)
    return content


def _read_tokens(body: bytes) -> object:
    try:
        content = json.loads(body.decode(), parse_float=_finite)
        # Python reads more than orjson: halves of surrogates, numbers of any length,
        # deeper lists. orjson writes none of them.
        orjson.dumps(content)
    except json.JSONDecodeError as ex:
        raise _unreadable(ex.pos) from ex
    except (ValueError, RecursionError, orjson.JSONEncodeError) as ex:
        raise _unreadable(0) from ex
    return content


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError
    return number


def _unreadable(place: int) -> InvalidInput:
    return InvalidInput(f"JSON Parse error: Invalid value. at offset: {place}")


def _check_signature_text(content: dict[str, Any]) -> None:
    """Check that a request names its signature by a text, if it names one.

    Raises:
        InvalidInput: it is something else.
    """
    if not isinstance(content.get("signature_name", ""), str):
        raise InvalidInput(
            f"JSON Value: {shown(content)} not formatted correctly. 'signature_name'"
            " key must be a string value."
        )


def check_signature(name: str, method: str) -> None:
    """Check that a request asks for the one signature that each model has.

    A model answers by its default signature, which TensorFlow Serving takes for all
    requests that name none. The method's own name is taken, too.

    Args:
        name: the signature's name; empty if the request names none.
        method: ``predict``, ``classify`` or ``regress``.

    Raises:
        InvalidInput: it names another signature.
    """
    if name not in ("", SIGNATURE, f"tensorflow/serving/{method}"):
        raise InvalidInput(
            f'Serving signature name: "{name[:_SHOWN]}" not found in signature def'
        )


def shown(value: object) -> str:
    """Write a value of a request for an error, and at most its beginning."""
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    try:
        text = orjson.dumps(value)[: 4 * _SHOWN].decode(errors="ignore")
    except orjson.JSONEncodeError:  # it is nested deeper than orjson writes
        return "…"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_KINDS: dict[type, str] = {
    type(None): "Null",
    dict: "Object",
    float: "Number",
    int: "Number",
    list: "Array",
    str: "String",
}


def kind_of(value: object) -> str:
    """Return the word for a value's kind in TensorFlow Serving's sentences."""
    return str(value) if isinstance(value, bool) else _KINDS[type(value)]
