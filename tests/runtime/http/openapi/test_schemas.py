"""Schemas say what the types say."""

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from runtime.http.openapi.schemas import And, ListOf, Or, Partial, Schemas


class Leaf(TypedDict):
    """A leaf.

    Attributes:
        size: the length
            in ``mm``.
    """

    size: float
    colour: NotRequired[Literal["green", "red"]]


class Loose(TypedDict, total=False):
    """Loose leaves."""

    leaves: list[Leaf]


@dataclass(frozen=True)
class Tree:
    """A tree."""

    name: str
    leaf: Leaf
    twin: "Tree | None"


LEAF = {
    "type": "object",
    "description": "A leaf.",
    "properties": {
        "size": {"type": "number", "description": "The length in `mm`."},
        "colour": {"enum": ["green", "red"]},
    },
    "required": ["size"],
}
TO_LEAF = {"$ref": "#/components/schemas/Leaf"}
NULL = {"type": "null"}


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (int, {"type": "integer"}),
        (bool, {"type": "boolean"}),
        (None, NULL),
        (Any, {}),
        (str | None, {"anyOf": [{"type": "string"}, NULL]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (tuple[str, ...], {"type": "array", "items": {"type": "string"}}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (
            dict[str, bool],
            {"type": "object", "additionalProperties": {"type": "boolean"}},
        ),
        ({"const": 1}, {"const": 1}),
        (Or(int, None), {"anyOf": [{"type": "integer"}, NULL]}),
        (And(Leaf), {"allOf": [TO_LEAF]}),
        (ListOf(Leaf), {"type": "array", "items": TO_LEAF}),
    ],
)
def test_the_schema_of_a_type(kind, schema):
    assert Schemas().of(kind) == schema


def test_a_class_is_a_component_with_the_meanings_of_its_docstring():
    schemas = Schemas()
    assert schemas.of(Leaf) == TO_LEAF
    assert schemas.components == {"Leaf": LEAF}


def test_a_class_may_hold_others_and_itself():
    schemas = Schemas()
    schemas.of(Tree)
    assert schemas.components["Leaf"] == LEAF
    tree = schemas.components["Tree"]
    assert tree["required"] == ["name", "leaf", "twin"]
    to_tree = {"$ref": "#/components/schemas/Tree"}
    assert tree["properties"]["twin"] == {"anyOf": [to_tree, NULL]}


def test_no_key_of_a_loose_or_partial_object_is_required_unless_it_says_so():
    schemas = Schemas()
    schemas.of(Loose)
    assert "required" not in schemas.components["Loose"]
    schemas.of(Partial(Tree, required=("name",), without=("twin",)))
    tree = schemas.components["Tree"]
    assert tree["required"] == ["name"]
    assert tree["properties"] == {
        "name": {"type": "string"},
        "leaf": {"anyOf": [TO_LEAF, NULL]},
    }


def test_unknown_keys_are_taken():
    schemas = Schemas()
    schemas.of(Leaf)
    assert "additionalProperties" not in schemas.components["Leaf"]


def test_a_type_without_a_schema_and_two_of_one_name_are_errors():
    schemas = Schemas()
    with pytest.raises(TypeError, match="no schema"):
        schemas.of(complex)
    schemas.of(Leaf)
    other = type("Leaf", (Tree,), {})
    with pytest.raises(TypeError, match="'Leaf'"):
        schemas.of(other)
