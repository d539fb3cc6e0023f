"""Reading a request's model, version, label and top, in its query or in its body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import falcon

from bundle.spec import ModelSpec
from runtime.errors import InvalidInput
from runtime.http.environ_keys import Environ
from runtime.lane import elsewhere

LABELS = "application/vnd.tfaas.labels+json"

# TFaaS answers so many labels.
TOP = 5

# An error names at most so many models.
_MOST_NAMES = 20

# A function that lists the names of the store's models.
Names = Callable[[], list[str]]

_WHOLE = re.compile(r"[0-9]{1,18}")


def read_spec(env: Environ, given: Mapping[str, str], names: Names) -> ModelSpec:
    """Read the model, and the version of it, for which a request asks.

    Args:
        env: the request's environ, whose query may hold ``model``, and ``version`` or
            ``label``.
        given: the texts of its body: ``model``, and ``version`` or ``label``.
        names: the names of the store's models; the only one of them is meant where the
            request names none, as in TFaaS.

    Raises:
        InvalidInput: no model is named and the store has not just one, both version and
            label are there, the query and the body contradict each other, or the
            version is no number.
    """
    texts = _with_query(env, given, "model") if env.get("QUERY_STRING") else given
    name = texts.get("model")
    if name is None:
        name = _only(elsewhere(names))  # a store may be large, or on a slow disk
    elif not name:
        raise InvalidInput("the field 'model' is empty; GET /models lists the models")
    return spec_of(env, name, given)


def spec_of(env: Environ, name: str, given: Mapping[str, str]) -> ModelSpec:
    """Read the version of a model for which a request asks; see ``read_spec``."""
    texts = (
        _with_query(env, given, "version", "label")
        if env.get("QUERY_STRING")
        else given
    )
    version, label = texts.get("version"), texts.get("label")
    if version is not None and label is not None:
        raise InvalidInput("'version' and 'label' are both there; send one of them")
    if label == "":
        raise InvalidInput("'label' is empty")
    return ModelSpec(
        name, None if version is None else _whole("version", version), label
    )


def _only(names: list[str]) -> str:
    """Return the only model's name."""
    if len(names) == 1:
        return names[0]
    shown = ", ".join(names[:_MOST_NAMES])
    more = " …" if len(names) > _MOST_NAMES else ""
    has = f"the store has {shown}{more}" if names else "the store has no model"
    raise InvalidInput(f"the field 'model' is missing; {has}")


def read_top(env: Environ, given: Mapping[str, str]) -> int | None:
    """Read the number of labels that a request asks for; None if it names none.

    Raises:
        InvalidInput: ``top`` is no number from 1 on, or the query and the body
            contradict each other.
    """
    texts = _with_query(env, given, "top") if env.get("QUERY_STRING") else given
    top = texts.get("top")
    if top is None:
        return None
    if not (number := _whole("top", top)):
        raise InvalidInput("'top' is 0; it must be 1 or more")
    return number


def prefers_labels(env: Environ) -> bool:
    """Tell whether the Accept header asks for labels, rather than for any JSON."""
    # Nearly every client sends one of these. Falcon takes 5 us for the same decision.
    if env.get("HTTP_ACCEPT", "*/*") in ("*/*", falcon.MEDIA_JSON):
        return False
    return falcon.Request(env).client_prefers((falcon.MEDIA_JSON, LABELS)) == LABELS


def _with_query(env: Environ, given: Mapping[str, str], *names: str) -> dict[str, str]:
    """Return the texts of some names, from the query or from the body."""
    texts, params = {}, falcon.Request(env).params
    for name in names:
        told, asked = given.get(name), params.get(name)
        if isinstance(asked, list):
            raise InvalidInput(f"the query has {name!r} twice; send one")
        if asked is not None and told is not None and asked != told:
            raise InvalidInput(
                f"{name!r} is {asked[:64]!r} in the query and {told[:64]!r} in the"
                " body; send one"
            )
        if (text := told if asked is None else asked) is not None:
            texts[name] = text
    return texts


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise InvalidInput(
            f"{name!r} is {text[:64]!r}; it must be a whole number of 1 to 18 digits"
        )
    return int(text)
