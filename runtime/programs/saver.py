"""Checks of the operators that save and load a SavedModel's variables.

Every SavedModel can save itself, so that training can go on, and TensorFlow's loader
restores the variables of TensorFlow 1. Both may only use the file name that they are
given. Only savers may name these operators: a loader calls operations by their names,
and must never run one that saves.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from bundle.errors import BundleError
from runtime.programs.file_names import MAX_CALLS, FileNames, Scope, node_of
from runtime.programs.graph import READING, WRITING
from runtime.programs.reading import refusal
from runtime.programs.tensorflow_pb2 import (
    AttrValue,
    FunctionDef,
    MetaGraphDef,
    NodeDef,
    SaverDef,
)
from runtime.programs.walk import TooDeep, named

# Python writes the way in which a function was traced into this attribute.
_TRACING = "_construction_context"
# Attributes of these kinds name nothing. By some texts TensorFlow calls one function in
# the place of another.
_NAMELESS = ("b", "f", "i", "shape", "type")
# TensorFlow 1 keeps more savers there, which its loader does not use.
_SAVERS = "savers"


def check_saver(meta: MetaGraphDef, file: str) -> None:
    """Check all that writes or reads checkpoints. The check destroys the message.

    Args:
        meta: the graph, whose operators were checked before.
        file: the name of its file.

    Raises:
        BundleError: something other than a saver may run it, or it may use another file
            than the one that it is told.
    """
    try:
        _Saver(meta, file).check()
    except TooDeep as ex:
        raise refusal(file, "fields are nested without end") from ex


class _Saver:
    def __init__(self, meta: MetaGraphDef, file: str) -> None:
        self._meta = meta
        self._file = file
        self._functions: dict[str, FunctionDef] = {}
        for function in meta.graph_def.library.function:
            name = function.signature.name
            if self._functions.setdefault(name, function) != function:
                raise self._refusal(f"there are two functions {name[:96]!r}")
        self._writers = self._using(WRITING)
        self._users = self._writers | self._using(READING)
        self._file_names = FileNames(self._functions, self._users, file)

    def check(self) -> None:
        saver = self._meta.saver_def
        nodes = self._meta.graph_def.node
        users = [node for node in nodes if self._file_names.is_used(node)]
        writers = [node for node in users if self._is_writer(node)]
        self._check_functions()
        self._check_files(users)
        if node_of(saver.restore_op_name) in _after(nodes, writers):
            raise self._refusal("loading the variables would save some of them, too")
        self._check_names(_after(nodes, users))

    def _using(self, operators: frozenset[str]) -> frozenset[str]:
        """Return the functions that hold some operators, or name such functions."""
        found = {
            name
            for name, function in self._functions.items()
            if any(node.op in operators for node in function.node_def)
        }
        new = found
        for _ in range(MAX_CALLS):
            names = [name.encode() for name in new]
            new = {
                name
                for name, function in self._functions.items()
                if name not in found and named(function.SerializeToString(), names)
            }
            if not new:
                return frozenset(found)
            found |= new
        raise self._refusal("functions that save or load are nested without end")

    def _is_writer(self, node: NodeDef) -> bool:
        names = [name.encode() for name in self._writers]
        return node.op in WRITING or bool(named(node.SerializeToString(), names))

    def _check_functions(self) -> None:
        for name in sorted(self._users):
            for attribute, value in self._functions[name].attr.items():
                if attribute != _TRACING and not _is_nameless(value):
                    raise self._refusal(
                        f"the function {name[:96]!r} saves or loads variables and has"
                        f" the attribute {attribute[:64]!r}, by which TensorFlow may"
                        " call it in the place of another"
                    )
            self._file_names.arguments_of(name)

    def _check_files(self, users: list[NodeDef]) -> None:
        if not users:
            return
        nodes = self._meta.graph_def.node
        saver = self._meta.saver_def
        # A loader runs these, and gives them the name of the SavedModel's variables.
        loading = _before(nodes, node_of(saver.restore_op_name))
        own = {node_of(saver.filename_tensor_name)}
        scope = Scope({node.name: node for node in nodes})
        for node in users:
            roots = self._file_names.roots_of(node, scope)
            if node.name in loading and not roots <= own:
                raise self._refusal(
                    f"the node {node.name[:128]!r} loads variables from a file that is"
                    " not told by 'saver_def'"
                )

    def _check_names(self, nodes: Iterable[str]) -> None:
        """Check that only savers name some nodes, and the functions."""
        rest = self._meta
        rest.graph_def.ClearField("node")
        rest.graph_def.library.ClearField("function")
        # This lists operators, and a node that calls a function often has such a name.
        rest.meta_info_def.ClearField("stripped_op_list")
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
        names = [name.encode() for name in (*self._users, *nodes)]
        if name := named(rest.SerializeToString(), names):
            shown = name.decode(errors="replace")[:128]
            raise self._refusal(
                f"{shown!r} saves or loads variables, or follows from a node that does"
                ", and is named where TensorFlow may run it"
            )

    def _refusal(self, why: str) -> BundleError:
        return refusal(self._file, why)


def _is_nameless(value: AttrValue) -> bool:
    kind = value.WhichOneof("value")
    if kind != "list":
        return kind in _NAMELESS
    return all(field.name in _NAMELESS for field, _ in value.list.ListFields())


def _forget(saver: SaverDef) -> None:
    saver.ClearField("save_tensor_name")
    saver.ClearField("restore_op_name")


def _after(nodes: Iterable[NodeDef], first: Iterable[NodeDef]) -> set[str]:
    """Return the names of some nodes, and of all nodes that need them."""
    needing: dict[str, list[str]] = {}
    for node in nodes:
        for source in node.input:
            needing.setdefault(node_of(source), []).append(node.name)
    return _reached(needing, (node.name for node in first))


def _before(nodes: Iterable[NodeDef], last: str) -> set[str]:
    """Return the names of a node and of all nodes that it needs."""
    needed = {node.name: [*map(node_of, node.input)] for node in nodes}
    return _reached(needed, [last])


def _reached(ways: dict[str, list[str]], first: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = [*first]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += ways.get(name, ())
    return found
