"""The origin of file names that operators save to and load from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bundle.errors import BundleError
from bundle.member_names import COMPONENT
from runtime.programs.reading import refusal
from runtime.programs.tensorflow_pb2 import FunctionDef, NodeDef
from runtime.programs.walk import named

# The inputs of each operator that are names of files.
_FILES = {"SaveV2": (0,), "RestoreV2": (0,), "MergeV2Checkpoints": (0, 1)}
# These operators pass their arguments to a function unchanged.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# These operators stand for a file's name in the graph, and the loader tells them the
# name; early TensorFlow 1 had a constant there.
_ROOTS = frozenset({"Placeholder", "PlaceholderWithDefault", "Const"})
# Functions may be nested so deep; TensorFlow itself nests one in another at most.
MAX_CALLS = 20


@dataclass(frozen=True)
class Scope:
    """The nodes of the graph, or of a function.

    Attributes:
        nodes: the nodes by their names.
        arguments: a function's arguments: their places by their names; None for the
            graph.
    """

    nodes: Mapping[str, NodeDef]
    arguments: Mapping[str, int] | None = None


class FileNames:
    """Traces names of files to their origin.

    Args:
        functions: a model's functions by their names.
        users: the names of the functions that save or load, or that name others which
            do.
        file: the name of the model's file.
    """

    def __init__(
        self, functions: Mapping[str, FunctionDef], users: Collection[str], file: str
    ) -> None:
        self._functions = functions
        self._users = users
        self._names = [name.encode() for name in users]
        self._file = file
        self._arguments: dict[str, set[int]] = {}

    def is_used(self, node: NodeDef) -> bool:
        """Tell whether a node saves or loads, or names a function that does."""
        return node.op in _FILES or bool(named(node.SerializeToString(), self._names))

    def roots_of(self, node: NodeDef, scope: Scope) -> set[str]:
        """Return the nodes of the graph that give a node's files their names.

        Raises:
            BundleError: something else gives them their names, too.
        """
        found = set(self._begin(node, scope, ()))
        for root in found:
            self._check_root(root, scope)
        return found

    def arguments_of(self, name: str, callers: tuple[str, ...] = ()) -> set[int]:
        """Return the places of the arguments that give a function's files their names.

        Raises:
            BundleError: something else gives them their names, too.
        """
        if name in callers or len(callers) == MAX_CALLS:
            raise self._refusal(
                f"the function {name[:96]!r} saves or loads, and calls itself"
            )
        if name not in self._arguments:
            function = self._functions[name]
            places = {a.name: i for i, a in enumerate(function.signature.input_arg)}
            scope = Scope({node.name: node for node in function.node_def}, places)
            self._arguments[name] = {
                places[root]
                for node in function.node_def
                if self.is_used(node)
                for root in self._begin(node, scope, (*callers, name))
            }
        return self._arguments[name]

    def _begin(
        self, node: NodeDef, scope: Scope, callers: tuple[str, ...]
    ) -> Iterator[str]:
        """Give the nodes, or arguments, with which a node's file names begin."""
        places: Iterable[int] = _FILES.get(node.op, ())
        if node.op not in _FILES:
            places = self.arguments_of(self._called(node), callers)
        for place in places:
            if place >= len(node.input):
                raise self._refusal(
                    f"the node {node.name[:128]!r} lacks the name of a file"
                )
            yield from self._trace(node.input[place], scope)

    def _called(self, node: NodeDef) -> str:
        """Return the function that a node calls; it must not pass on another one."""
        rest = NodeDef()
        rest.CopyFrom(node)
        if node.op in self._users:
            name = node.op
            rest.ClearField("op")
        else:
            name = node.attr["f"].func.name if "f" in node.attr else ""
            if node.op in _CALLS and name in self._users:
                rest.attr["f"].func.ClearField("name")
        if named(rest.SerializeToString(), self._names):
            raise self._refusal(
                f"the node {node.name[:128]!r} passes on a function that saves or loads"
                " variables"
            )
        return name

    def _trace(self, source: str, scope: Scope) -> set[str]:
        arguments = scope.arguments or {}
        found: set[str] = set()
        seen: set[str] = set()
        waiting = [source]
        while waiting:
            name = node_of(waiting.pop())
            if name in seen:
                continue
            seen.add(name)
            if name in arguments and name not in scope.nodes:
                found.add(name)
                continue
            node = self._node(name, scope)
            inputs = [given for given in node.input if not given.startswith("^")]
            if scope.arguments is None and node.op in _ROOTS:
                found.add(name)
            elif node.op in ("Identity", "ShardedFilename") and inputs:
                waiting.append(inputs[0])
            elif node.op == "Pack":
                waiting += inputs
            elif node.op == "StringJoin" and inputs and not node.attr["separator"].s:
                waiting.append(inputs[0])
                for given in inputs[1:]:
                    self._check_ending(given, scope)
            else:
                raise self._refusal(
                    f"the node {name[:128]!r} ({node.op[:64]}) makes the name of a file"
                    " that is written or read, and does not take it from a saver"
                )
        # Then the nodes form a circle.
        if not found:
            raise self._refusal(f"nothing names the file at the node {source[:128]!r}")
        return found

    def _check_ending(self, source: str, scope: Scope) -> None:
        """Check that the text after a file's name does not lead elsewhere."""
        node = self._node(source, scope)
        # The first input of a Select is its condition.
        is_choice = node.op in ("Select", "SelectV2") and len(node.input) >= 3
        chosen = node.input[1:3] if is_choice else [source]
        for one in (self._node(given, scope) for given in chosen):
            texts = _texts(one)
            if not texts or any(".." in text for text in texts):
                raise self._refusal(
                    f"the node {one.name[:128]!r} is part of the name of a file that is"
                    " written or read, and is no constant text without '..'"
                )

    def _check_root(self, root: str, scope: Scope) -> None:
        """Check that the loader or saver of a file tells its name.

        A graph may have several savers, and only one counts. The others are never run,
        and never get a name.
        """
        node, seen = scope.nodes[root], {root}
        while node.op in ("PlaceholderWithDefault", "Identity") and node.input:
            node = self._node(node.input[0], scope)
            if node.name in seen:
                break
            seen.add(node.name)
        texts = _texts(node)
        is_plain = texts and all(COMPONENT.fullmatch(text) for text in texts)
        if node.op != "Placeholder" and not is_plain:
            raise self._refusal(
                f"the node {root[:128]!r} makes a file name that may be elsewhere"
            )

    def _node(self, source: str, scope: Scope) -> NodeDef:
        name = node_of(source)
        if name not in scope.nodes:
            raise self._refusal(
                f"the node {name[:128]!r}, of a file's name, is missing"
            )
        return scope.nodes[name]

    def _refusal(self, why: str) -> BundleError:
        return refusal(self._file, why)


def node_of(tensor: str) -> str:
    """Return the node of an input: ``a`` for ``a``, ``a:1`` and ``^a``."""
    return tensor.removeprefix("^").partition(":")[0]


def _texts(node: NodeDef) -> list[str]:
    """Return the texts of a constant; none for other nodes."""
    if node.op != "Const":
        return []
    tensor = node.attr["value"].tensor
    # TensorFlow prefers this field, if it is set; Python writes texts into the other.
    if tensor.tensor_content:
        return []
    return [text.decode("latin-1") for text in tensor.string_val]
