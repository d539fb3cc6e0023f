"""The sources of the names of files that operators save to and load from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bundle.archive import COMPONENT
from bundle.errors import BundleError
from runtime.programs.reading import refusal
from runtime.programs.tensorflow_pb2 import FunctionDef, NodeDef
from runtime.programs.walk import named

# Which inputs of an operator are names of files.
_FILES = {"SaveV2": (0,), "RestoreV2": (0,), "MergeV2Checkpoints": (0, 1)}
# They pass their arguments to a function as they are.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# Operators that stand for a file's name in the graph, and are told it; early TensorFlow
# 1 had a constant there.
_ROOTS = frozenset({"Placeholder", "PlaceholderWithDefault", "Const"})
# Functions in functions; TensorFlow writes one in the other at most.
MAX_CALLS = 20


@dataclass(frozen=True)
class Scope:
    """The graph, or a function.

    Attributes:
        nodes: by their names.
        arguments: of a function, their places by their names; None is the graph.
    """

    nodes: Mapping[str, NodeDef]
    arguments: Mapping[str, int] | None = None


class FileNames:
    """Traces names of files to their beginnings.

    Args:
        functions: of a model, by their names.
        users: the names of those that save or load, or speak of others that do.
        file: of the model.
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
        """Whether a node saves or loads, or speaks of a function that does."""
        return node.op in _FILES or bool(named(node.SerializeToString(), self._names))

    def roots_of(self, node: NodeDef, scope: Scope) -> set[str]:
        """The nodes of the graph that a node's files are named by.

        Raises:
            BundleError: something else names them, too.
        """
        found = set(self._begin(node, scope, ()))
        for root in found:
            self._check_root(root, scope)
        return found

    def arguments_of(self, name: str, callers: tuple[str, ...] = ()) -> set[int]:
        """The arguments of a function, by their places, that files are named by.

        Raises:
            BundleError: something else names them, too.
        """
        if name in callers or len(callers) == MAX_CALLS:
            raise self._refusal(f"the function {name[:96]!r} saves or loads in circles")
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
        """The nodes, or arguments, that the names of one node's files begin with."""
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
        """The function that a node calls, if it calls one and passes none on."""
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
        # In circles.
        if not found:
            raise self._refusal(f"nothing names the file at the node {source[:128]!r}")
        return found

    def _check_ending(self, source: str, scope: Scope) -> None:
        """See that the text behind a file's name does not lead elsewhere."""
        node = self._node(source, scope)
        # The first input of a Select is what it chooses by.
        is_choice = node.op in ("Select", "SelectV2") and len(node.input) >= 3
        chosen = node.input[1:3] if is_choice else [source]
        for one in (self._node(given, scope) for given in chosen):
            texts = _texts(one)
            if not texts or any(".." in text for text in texts):
                raise self._refusal(
                    f"the node {one.name[:128]!r} stands in the name of a file that is"
                    " written or read, and is no constant that stays below it"
                )

    def _check_root(self, root: str, scope: Scope) -> None:
        """See that the name of a file is told by the one that saves or loads.

        A graph may have several savers, of which one counts; nobody tells the others,
        or runs them.
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
    """The node that an input comes from: ``a`` of ``a``, ``a:1`` and ``^a``."""
    return tensor.removeprefix("^").partition(":")[0]


def _texts(node: NodeDef) -> list[str]:
    """The texts of a constant; none of other nodes."""
    if node.op != "Const":
        return []
    tensor = node.attr["value"].tensor
    # TensorFlow takes it first, if it is there; Python writes texts into the other.
    if tensor.tensor_content:
        return []
    return [text.decode("latin-1") for text in tensor.string_val]
