"""The routes and types of the OpenAPI document, for people."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runtime.access.gate import Gate
from runtime.http.openapi.document import make_document
from tools.reference.markdown import code, sentence, table

# The words of JSON Schema, as people say them.
_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "null": "`null`",
    "array": "array",
    "object": "object",
}

Schema = Mapping[str, Any]


def operations(arguments: Sequence[str]) -> str:
    """All routes by their groups, each with its requests and replies."""
    document = _document()
    return "\n\n".join(
        "\n\n".join([f"## {group['name']}", *_group(document, group["name"])])
        for group in document["tags"]
    )


def types(arguments: Sequence[str]) -> str:
    """All objects of bodies and replies, each with its keys."""
    schemas: Mapping[str, Schema] = _document()["components"]["schemas"]
    return "\n\n".join(_type(name, schemas[name]) for name in sorted(schemas))


@functools.cache
def _document() -> dict[str, Any]:
    return make_document(Gate())


def _group(document: dict[str, Any], group: str) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if group in operation["tags"]:
                yield _operation(f"{method.upper()} {path}", operation)


def _operation(request: str, operation: dict[str, Any]) -> str:
    lines = [f"### {code(request)}", "", operation["summary"]]
    if operation["summary"].startswith("Does the same"):
        return "\n".join(lines)
    if text := operation.get("description"):
        lines[-1] += f" {sentence(text)}"
    rows = [
        (code(parameter["name"]), parameter["in"], _of(parameter), _meaning(parameter))
        for parameter in operation["parameters"]
        # All requests may have the headers that are named once for all.
        if "$ref" not in parameter
    ]
    if rows:
        lines += ["", table(("parameter", "place", "type", "meaning"), rows)]
    lines += ["", table(("part", "content"), _bodies(operation))]
    return "\n".join(lines)


def _bodies(operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if body := operation.get("requestBody"):
        need = "body" if body["required"] else "body, which may be left out"
        yield need, _content(body)
    refusals = []
    for status, reply in operation["responses"].items():
        if "$ref" in reply:
            refusals.append(status)
        else:
            yield status, _content(reply)
    yield ", ".join(refusals), "[`ErrorBody`](#errorbody)"


def _content(of: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{code(kind)}: {_of(content)}" if content.get("schema") else code(kind)
        for kind, content in of.get("content", {}).items()
    )


def _type(name: str, schema: Schema) -> str:
    lines = [f"### {code(name)}"]
    if text := schema.get("description"):
        lines += ["", sentence(text)]
    required = schema.get("required", ())
    rows = [
        (
            code(key) + ("" if key in required else ", may be missing"),
            kind_of(of),
            _meaning(of),
        )
        for key, of in schema.get("properties", {}).items()
    ]
    if rows:
        lines += ["", table(("key", "type", "meaning"), rows)]
    return "\n".join(lines)


def _of(holder: Mapping[str, Any]) -> str:
    return kind_of(holder["schema"])


def _meaning(of: Mapping[str, Any]) -> str:
    text = of.get("description", "")
    return sentence(text) if text else ""


def kind_of(schema: Schema) -> str:
    """Say a schema's type in words, with links to the types of this project."""
    if name := schema.get("$ref"):
        word = name.rpartition("/")[2]
        return f"[{code(word)}](#{word.lower()})"
    if kinds := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(kind_of(kind) for kind in kinds))
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if values := schema.get("enum"):
        return " or ".join(code(json.dumps(value)) for value in values)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(_KINDS[one] for one in kind)
    if schema.get("format") == "binary":
        return "file"
    if kind == "array" and (items := schema.get("items")):
        return f"array of {kind_of(items)}"
    if kind == "object" and (values := schema.get("additionalProperties")):
        return f"object of {kind_of(values)}"
    return _KINDS[kind] if kind else "anything"
