"""The line of curl that asks a model: the right one for the inputs that it takes."""

from __future__ import annotations

import json
import math
import shlex
from typing import TYPE_CHECKING, Any

from runtime.admin import Description

if TYPE_CHECKING:  # numpy takes a moment to import.
    from runtime.backends import TensorSpec

# So many values stand in a line; more are made by a program.
_SHOWN = 24


def curl_line(url: str, version: Description, *, is_pinned: bool = False) -> str:
    """Return the line that asks a version; empty if its inputs are not known.

    Args:
        url: the service's URL.
        version: the description of the version.
        is_pinned: ask for this version, because another one serves.
    """
    name, params = version["name"], version["params"]
    query = f"?version={version['version']}" if is_pinned else ""
    if params.get("img_channels"):
        where = shlex.quote(f"{url}/predict/image{query}")
        return f"curl {where} -F image=@picture.png -F model={name}"
    if not version["inputs"]:
        return ""
    import numpy as np

    from runtime.backends import TensorSpec
    from runtime.models.fitness import takes_rows

    specs = tuple(
        TensorSpec(told["name"], np.dtype(told["dtype"]), tuple(told["shape"]))
        for told in version["inputs"]
    )
    asked: dict[str, Any] = {"model": name}
    features = params.get("features")
    if features:
        asked["keys"] = features
    if takes_rows(specs):
        asked["values"] = _Filled((_count(specs[0]),), 0)
    elif features:
        values = {spec.name: _value(spec) for spec in specs}
        asked["values"] = [values[feature] for feature in features]
    else:
        asked["inputs"] = {spec.name: _filled(spec) for spec in specs}
    where = shlex.quote(f"{url}/predict/json{query}")
    if sum(map(_count, specs)) <= _SHOWN:
        return f"curl {where} -d {shlex.quote(_text(asked, _Filled.written))}"
    program = f"import json; print(json.dumps({_text(asked, _Filled.computed)}))"
    return f"python3 -c {shlex.quote(program)} | curl {where} -d @-"


class _Filled:
    """An array of one value, as text.

    Args:
        shape: the lengths of its axes.
        value: the value.
    """

    def __init__(self, shape: tuple[int, ...], value: float | str) -> None:
        self._shape = shape
        self._value = value

    def written(self) -> str:
        """Return the array in JSON."""
        text = json.dumps(self._value)
        for length in reversed(self._shape):
            text = f"[{', '.join([text] * length)}]"
        return text

    def computed(self) -> str:
        """Return an expression of Python that makes the array."""
        # Python and JSON write flags differently.
        text = str(self._value) if self._value is False else json.dumps(self._value)
        for length in reversed(self._shape):
            text = f"[{text}] * {length}"
        return text


def _filled(spec: TensorSpec) -> _Filled:
    return _Filled((1, *(length or 1 for length in spec.shape[1:])), _value(spec))


def _value(spec: TensorSpec) -> float | str:
    values: dict[str, float | str] = {"b": False, "O": "a"}
    return values.get(spec.dtype.kind, 0)


def _count(spec: TensorSpec) -> int:
    return math.prod(length or 1 for length in spec.shape[1:])


def _text(asked: object, text_of: Any) -> str:
    if isinstance(asked, _Filled):
        return str(text_of(asked))
    if isinstance(asked, dict):
        parts = (f"{json.dumps(k)}: {_text(v, text_of)}" for k, v in asked.items())
        return f"{{{', '.join(parts)}}}"
    return json.dumps(asked)
