"""A room's text -> the same text with one small fault: all that mutmut knows."""

from __future__ import annotations

import ast
import builtins
import itertools
from contextlib import suppress
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import (
    CodeRange,
    MetadataWrapper,
    WhitespaceInclusivePositionProvider,
)
from mutmut.mutation.mutators import mutation_operators


@dataclass(frozen=True)
class Mutant:
    """A room's text with one fault.

    Attributes:
        line: where the fault stands, from 1.
        was: the lines that it changes, without their indentation.
        now: the lines that stand there instead.
        function: the qualified name of the outermost function whose body has the
            fault; None if it stands outside of all.
        source: the whole text.
    """

    line: int
    was: str
    now: str
    function: str | None
    source: str

    @property
    def name(self) -> str:
        """The name in docs/mutants.md; a line number in it would drift."""
        return f"`{self.was}` → `{self.now}`"


def mutants_of(source: str) -> list[Mutant]:
    """Every fault that mutmut's operators can put into a text, each once.

    Left out is what decides nothing: annotations, imports, asserts, names of types, and
    texts for people (those of errors and of logs, and docstrings).
    """
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    visitor = _Visitor(_error_names(source))
    wrapper.visit(visitor)
    found: dict[str, Mutant] = {}
    lines = source.splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]
    for place, function, node in visitor.faults:
        before = source[: starts[place.start.line - 1] + place.start.column]
        after = source[starts[place.end.line - 1] + place.end.column :]
        text = before + wrapper.module.code_for_node(node) + after
        with suppress(SyntaxError):  # an argument that a function must be given
            ast.parse(text)
            was, now = _changed_lines(source, text)
            found.setdefault(text, Mutant(place.start.line, was, now, function, text))
    return list(found.values())


def _changed_lines(source: str, text: str) -> tuple[str, str]:
    old, new = source.splitlines(), text.splitlines()
    start = 0
    while old[start : start + 1] == new[start : start + 1]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    was, now = old[start : len(old) - end], new[start : len(new) - end]
    return " ".join(map(str.strip, was)), " ".join(map(str.strip, now))


def _error_names(source: str) -> frozenset[str]:
    names = {n for n in dir(builtins) if n.endswith(("Error", "Exception"))}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("errors"):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            names.add(ast.unparse(node.exc.func))
    return frozenset(names)


class _Visitor(cst.CSTVisitor):
    """Collects the faults: where a node stands, and another node for that place."""

    METADATA_DEPENDENCIES = (WhitespaceInclusivePositionProvider,)

    def __init__(self, errors: frozenset[str]) -> None:
        super().__init__()
        self.faults: list[tuple[CodeRange, str | None, cst.CSTNode]] = []
        self._errors = errors
        self._stack: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._decides_nothing(node):
            return False
        function = self._function()
        self._stack.append(node)
        for kind, operator in mutation_operators:
            if isinstance(node, kind) and not _is_look(node):
                place = self.get_metadata(WhitespaceInclusivePositionProvider, node)
                self.faults += [(place, function, n) for n in operator(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if self._stack and self._stack[-1] is original_node:
            self._stack.pop()

    def _function(self) -> str | None:
        """The outermost function whose body the walk is in, by its qualified name."""
        names = []
        for outer, inner in itertools.pairwise(self._stack):
            if isinstance(outer, cst.ClassDef):
                names.append(outer.name.value)
            if isinstance(outer, cst.FunctionDef) and inner is outer.body:
                return ".".join([*names, outer.name.value])
        return None

    def _decides_nothing(self, node: cst.CSTNode) -> bool:
        match node:
            case cst.Annotation() | cst.Decorator() | cst.Import() | cst.ImportFrom():
                return True
            case cst.Assert():
                return True
            case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString()):
                return True
            case cst.AnnAssign(annotation=cst.Annotation(cst.Name("TypeAlias"))):
                return True
            case cst.Assign(targets=[cst.AssignTarget(cst.Name(name))]):
                is_type = name.lstrip("_")[:1].isupper() and not name.isupper()
                return not self._function() and (
                    is_type or name in ("__all__", "logger")
                )
            case cst.Call(func=cst.Attribute(value=cst.Name("logger"))):
                return True
            case cst.Call(func=cst.Name(name)):
                return name in self._errors
        return False


def _is_look(node: cst.CSTNode) -> bool:
    """``len(None)`` and ``isinstance(x, None)`` raise at once, and prove nothing."""
    match node:
        case cst.Call(func=cst.Name("len" | "isinstance" | "cast")):
            return True
    return False
