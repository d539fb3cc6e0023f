"""The operators of TensorFlow's graphs and functions, and the constants in them."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

from bundle.errors import BundleError
from runtime.programs.reading import read, refusal
from runtime.programs.tensorflow_pb2 import (
    DT_RESOURCE,
    DT_VARIANT,
    FunctionDef,
    GraphDef,
    NameAttrList,
    NodeDef,
    TensorProto,
)
from runtime.programs.walk import walk

# tools/operators.py makes this file.
_OPERATORS = Path(__file__).with_name("operators.txt")
# These operators save and load variables; runtime.programs.saver checks their use.
WRITING = frozenset({"SaveV2", "MergeV2Checkpoints"})
READING = frozenset({"RestoreV2"})
# A function may be called like an operator, but not by the name of one, because nobody
# but TensorFlow knows which of the two it runs then.
_OPERATOR_NAME = re.compile(r"_*[A-Z][A-Za-z0-9]*")
# These make any tensor from bytes; they must not make handles of resources or objects.
_PARSERS = frozenset({"ParseTensor", "DeserializeSparse", "DeserializeManySparse"})
_HANDLES = (DT_RESOURCE, DT_VARIANT)


def check_frozen_graph(path: Path) -> None:
    """Check a frozen graph.

    Raises:
        BundleError: it holds something that is not allowed, or cannot be read.
    """
    check_graph(read(path, GraphDef()), path.name)


def check_graph(
    root: Any, file: str, also: Collection[str] = frozenset()
) -> frozenset[str]:
    """Check every node, call and constant in a message.

    Args:
        root: a ``GraphDef`` or a ``MetaGraphDef``.
        file: the name of its file.
        also: operators that are allowed besides those that compute.

    Returns:
        The operators of ``also`` that the message holds.

    Raises:
        BundleError: something is not allowed.
    """
    functions = {found.signature.name for found in walk(root, FunctionDef)}
    taken = operators()
    used: set[str] = set()
    for found in walk(root, NodeDef, NameAttrList, TensorProto):
        if isinstance(found, NodeDef):
            name = found.op
            if name in taken:
                if name in _PARSERS:
                    _check_parser(root, found, file)
                continue
            if name in also:
                used.add(name)
            elif name not in functions or _OPERATOR_NAME.fullmatch(name):
                raise _not_taken(name, _place(root, found), file)
        elif isinstance(found, NameAttrList):
            # TensorFlow calls only functions in this way. If it ever called operators
            # too, it would find only those that compute.
            if found.name not in functions and found.name not in taken and found.name:
                raise _not_taken(found.name, "called as a function", file)
        elif found.variant_val or found.resource_handle_val or found.dtype in _HANDLES:
            raise refusal(
                file,
                "a constant holds a handle or an object, and no numbers or texts; such"
                " constants are not taken from strangers",
            )
    return frozenset(used)


def _check_parser(root: Any, node: NodeDef, file: str) -> None:
    # A placeholder is a type that the caller fills in, and that is not known here.
    for value in node.attr.values():
        if value.type in _HANDLES or value.placeholder:
            raise refusal(
                file,
                f"the operator {node.op!r} ({_place(root, node)}) makes a handle or an"
                " object of bytes, which is not taken from strangers",
            )


def _not_taken(operator: str, place: str, file: str) -> BundleError:
    return refusal(
        file,
        f"the operator {operator[:64]!r} ({place}) is not taken from strangers, because"
        " it may do more than compute",
    )


def _place(root: Any, node: NodeDef) -> str:
    where = "the graph"
    for function in walk(root, FunctionDef):
        if node in function.node_def:
            where = f"function {function.signature.name[:96]!r}"
    return f"node {node.name[:128]!r} in {where}"


@lru_cache(maxsize=1)
def operators() -> frozenset[str]:
    """Return TensorFlow's operators that compute."""
    lines = _OPERATORS.read_text(encoding="ascii").split("\n")
    return frozenset(line for line in lines if line and not line.startswith("#"))
