"""The description of a route: the bodies, parameters and statuses that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import falcon

from runtime.http.openapi.schemas import Schema

# The content of a body: a type, or a schema, by media type.
Content = Mapping[str, object]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a request, or a header of a reply.

    Attributes:
        name: its name.
        sentence: its meaning.
        schema: its schema.
        example: a value that works with the example model.
        is_always: whether each reply has the header.
    """

    name: str
    sentence: str
    schema: Schema
    example: Any = None
    is_always: bool = False


@dataclass(frozen=True)
class Body:
    """The body that a route takes.

    Attributes:
        content: its content by media type.
        examples: bodies that work with the example model, by media type and name.
        is_required: whether it must be there.
    """

    content: Content
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_required: bool = True


@dataclass(frozen=True)
class Operation:
    """The bodies, parameters and statuses of a route.

    Attributes:
        replies: the content of each status of its own; None is no body.
        refusals: the statuses of the errors that it may have beside those of all.
        body: the body that it takes; None if it takes none.
        query: the parameters of its query.
        headers: the headers that it reads.
        sends: the headers of its replies, beside those of all.
        places: values for names in braces of the path that work with the example
            model, where those of all routes do not.
        text: more about it.
    """

    replies: Mapping[int, Content | None]
    refusals: tuple[int, ...] = ()
    body: Body | None = None
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    sends: tuple[Parameter, ...] = ()
    places: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""


def json_of(kind: object) -> Content:
    """Make the content of a JSON body."""
    return {falcon.MEDIA_JSON: kind}
