"""What saves and loads a SavedModel's variables, and is run by nothing else.

Every SavedModel can save itself, for those who train on, and TensorFlow's loader calls
what brings the variables of TensorFlow 1 back. Both may do so with the file name that
they are given and no other; and nothing but savers may speak of them, so that a loader,
which goes by names, runs no saving.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from bundle.archive import COMPONENT
from bundle.errors import BundleError
from runtime.programs.graph import READING, WRITING
from runtime.programs.reading import refusal
from runtime.programs.walk import TooDeep, named
from runtime.proto.programs_tensorflow_pb2 import (
    FunctionDef,
    MetaGraphDef,
    NodeDef,
    SaverDef,
)

# Which of their inputs are names of files.
_FILES = {"SaveV2": (0,), "RestoreV2": (0,), "MergeV2Checkpoints": (0, 1)}
# They pass their arguments to a function as they are.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# What stands for a file's name in the graph, and is told it; early TensorFlow 1 had a
# constant there.
_ROOTS = frozenset({"Placeholder", "PlaceholderWithDefault", "Const"})
# Python writes what is known of shapes and of tracing into them. Of others, some let
# TensorFlow call one function in the place of another.
_ATTRIBUTES = frozenset({"_input_shapes", "_construction_context"})
# TensorFlow 1 keeps more savers there; none is used by its loader.
_SAVERS = "savers"

# What a file's name begins with: an argument's place in a function, or a node's name.
_Root = int | str


def check_saver(meta: MetaGraphDef, file: str) -> None:
    """Look at all that writes or reads checkpoints. The message is used up.

    Args:
        meta: whose operators were looked at.
        file: that it is of.

    Raises:
        BundleError: something else than saving and loading by ``saver_def`` may run
            it, or it may write or read another file than it is told.
    """
    try:
        _Saver(meta, file).check()
    except TooDeep as ex:
        raise refusal(file, "fields stand in fields without end") from ex


class _Saver:
    def __init__(self, meta: MetaGraphDef, file: str) -> None:
        self._meta = meta
        self._file = file
        self._functions: dict[str, FunctionDef] = {}
        for function in meta.graph_def.library.function:
            if (
                self._functions.setdefault(function.signature.name, function)
                != function
            ):
                name = function.signature.name[:96]
                raise refusal(file, f"there are two functions {name!r}")
        self._writers = self._using(WRITING)
        self._users = self._writers | self._using(READING)
        self._names = [name.encode() for name in self._users]
        self._arguments: dict[str, set[_Root]] = {}

    def check(self) -> None:
        saver = self._meta.saver_def
        nodes = self._meta.graph_def.node
        users = [node for node in nodes if self._is_user(node)]
        writers = [node for node in users if self._is_writer(node)]
        self._check_prefixes(users)
        is_run = {_node_of(saver.restore_op_name)}
        if is_run & _after(nodes, writers):
            raise self._refusal("loading the variables would save some")
        self._check_names(_after(nodes, users))

    def _using(self, operators: frozenset[str]) -> frozenset[str]:
        """The functions that hold some operators, and those that speak of these."""
        found = {
            name
            for name, function in self._functions.items()
            if any(node.op in operators for node in function.node_def)
        }
        new = found
        while new:
            names = [name.encode() for name in new]
            new = {
                name
                for name, function in self._functions.items()
                if name not in found and named(function.SerializeToString(), names)
            }
            found |= new
        return frozenset(found)

    def _is_user(self, node: NodeDef) -> bool:
        return node.op in _FILES or bool(named(node.SerializeToString(), self._names))

    def _is_writer(self, node: NodeDef) -> bool:
        names = [name.encode() for name in self._writers]
        return node.op in WRITING or bool(named(node.SerializeToString(), names))

    def _check_names(self, nodes: Iterable[str]) -> None:
        """See that nothing but ``saver_def`` speaks of some nodes and functions."""
        rest = self._meta
        rest.graph_def.ClearField("node")
        rest.graph_def.library.ClearField("function")
        _forget(rest.saver_def)
        if _SAVERS in rest.collection_def:
            savers = rest.collection_def[_SAVERS].bytes_list
            try:
                read = [SaverDef.FromString(value) for value in savers.value]
            except DecodeError as ex:
                raise self._refusal("the collection 'savers' cannot be read") from ex
            for saver in read:
                _forget(saver)
            savers.value[:] = [saver.SerializeToString() for saver in read]
        names = [*self._names, *(name.encode() for name in nodes)]
        if name := named(rest.SerializeToString(), names):
            shown = name.decode(errors="replace")[:128]
            raise self._refusal(
                f"{shown!r} saves or loads variables, or follows from what does, and is"
                " named where TensorFlow may run it"
            )

    # -- names of files ---------------------------------------------------------------

    def _check_prefixes(self, users: list[NodeDef]) -> None:
        for name in sorted(self._users):
            attributes = self._functions[name].attr.keys() - _ATTRIBUTES
            if attributes:
                raise self._refusal(
                    f"the function {name[:96]!r} saves or loads variables and has the"
                    f" attribute {min(attributes)[:64]!r}, by which TensorFlow may call"
                    " it in the place of another"
                )
            self._arguments_of(name, frozenset())
        nodes = self._meta.graph_def.node
        saver = self._meta.saver_def
        # A loader runs these, and gives them the name of the SavedModel's variables.
        loading = _before(nodes, _node_of(saver.restore_op_name)) if users else ()
        scope = _Scope(_by_name(nodes), None) if users else _Scope({}, None)
        for node in users:
            for root in self._files_of(node, scope, frozenset()):
                self._check_root(str(root), scope)
                own = _node_of(saver.filename_tensor_name)
                if node.name in loading and root != own:
                    raise self._refusal(
                        f"the node {node.name[:128]!r} loads variables from a file that"
                        " is not told by 'saver_def'"
                    )

    def _check_root(self, root: str, scope: _Scope) -> None:
        """See that the name of a file is told by who saves or loads.

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

    def _arguments_of(self, name: str, callers: frozenset[str]) -> set[_Root]:
        """The arguments of a function that it takes for names of files."""
        if name in callers:
            raise self._refusal(f"the function {name[:96]!r} calls itself and saves")
        if name not in self._arguments:
            function = self._functions[name]
            arguments = {a.name: i for i, a in enumerate(function.signature.input_arg)}
            scope = _Scope(_by_name(function.node_def), arguments)
            found: set[_Root] = set()
            for node in function.node_def:
                if self._is_user(node):
                    found |= self._files_of(node, scope, callers | {name})
            self._arguments[name] = found
        return self._arguments[name]

    def _files_of(
        self, node: NodeDef, scope: _Scope, callers: frozenset[str]
    ) -> set[_Root]:
        """What the file names of one node come from."""
        places: Iterable[_Root] = _FILES.get(node.op, ())
        if node.op not in _FILES:
            places = self._arguments_of(self._called(node), callers)
        found: set[_Root] = set()
        for place in places:
            if not isinstance(place, int) or place >= len(node.input):
                raise self._refusal(
                    f"the node {node.name[:128]!r} lacks the name of a file"
                )
            found |= self._from(node.input[place], scope, frozenset())
        return found

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

    def _from(self, source: str, scope: _Scope, seen: frozenset[str]) -> set[_Root]:
        """What the beginning of a file's name comes from.

        Raises:
            BundleError: it comes from something else, too.
        """
        name = _node_of(source)
        arguments = scope.arguments or {}
        if name in arguments and name not in scope.nodes:
            return {arguments[name]}
        node = self._node(source, scope)
        if scope.arguments is None and node.op in _ROOTS:
            return {name}
        inputs = [given for given in node.input if not given.startswith("^")]
        if name not in seen and inputs:
            seen = seen | {name}
            if node.op in ("Identity", "ShardedFilename"):
                return self._from(inputs[0], scope, seen)
            if node.op == "StringJoin" and not node.attr["separator"].s:
                for given in inputs[1:]:
                    self._check_ending(given, scope)
                return self._from(inputs[0], scope, seen)
            if node.op == "Pack":
                return set().union(*(self._from(i, scope, seen) for i in inputs))
        raise self._refusal(
            f"the node {name[:128]!r} ({node.op[:64]}) makes the name of a file that is"
            " written or read, and does not take it from a saver"
        )

    def _check_ending(self, source: str, scope: _Scope) -> None:
        """See that what is put behind a file's name does not lead elsewhere."""
        nodes = [self._node(source, scope)]
        # The first input of a Select is what it chooses by.
        if nodes[0].op in ("Select", "SelectV2"):
            nodes = [self._node(given, scope) for given in nodes[0].input[1:3]]
        for node in nodes:
            texts = _texts(node)
            if not texts or not all(map(_is_inside, texts)):
                raise self._refusal(
                    f"the node {node.name[:128]!r} stands in the name of a file that is"
                    " written or read, and is no constant that stays below it"
                )
        if not nodes:
            raise self._refusal("the name of a file that is written or read is cut")

    def _node(self, source: str, scope: _Scope) -> NodeDef:
        name = _node_of(source)
        if name not in scope.nodes:
            raise self._refusal(f"the node {name[:128]!r} is missing")
        return scope.nodes[name]

    def _refusal(self, why: str) -> BundleError:
        return refusal(self._file, why)


@dataclass(frozen=True)
class _Scope:
    """The graph, or a function.

    Attributes:
        nodes: by their names.
        arguments: of a function, their places by their names; None is the graph.
    """

    nodes: dict[str, NodeDef]
    arguments: dict[str, int] | None


def _by_name(nodes: Iterable[NodeDef]) -> dict[str, NodeDef]:
    return {node.name: node for node in nodes}


def _forget(saver: SaverDef) -> None:
    saver.ClearField("save_tensor_name")
    saver.ClearField("restore_op_name")


def _after(nodes: Iterable[NodeDef], first: Iterable[NodeDef]) -> set[str]:
    """The names of some nodes, and of all that need them."""
    needing: dict[str, list[str]] = {}
    for node in nodes:
        for source in node.input:
            needing.setdefault(_node_of(source), []).append(node.name)
    found: set[str] = set()
    waiting = [node.name for node in first]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needing.get(name, ())
    return found


def _before(nodes: Iterable[NodeDef], last: str) -> set[str]:
    """The name of a node, and of all that it needs."""
    needed = {node.name: node.input for node in nodes}
    found: set[str] = set()
    waiting = [last]
    while waiting:
        name = waiting.pop()
        if name in needed and name not in found:
            found.add(name)
            waiting += map(_node_of, needed[name])
    return found


def _node_of(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _texts(node: NodeDef) -> list[str]:
    """What a constant of texts holds; of other nodes, nothing."""
    if node.op != "Const":
        return []
    tensor = node.attr["value"].tensor
    # TensorFlow takes it first, if it is there; Python writes texts into the other.
    if tensor.tensor_content:
        return []
    return [text.decode("latin-1") for text in tensor.string_val]


def _is_inside(ending: str) -> bool:
    """Whether a name stays below its folder with this behind it."""
    return ".." not in ending
