"""Put small faults into a room, one at a time, and see whether its tests find them.

``make mutate`` runs this. mutmut says what a fault is. Its own runner puts none into a
constant or into a decorated function; this one does, since it imports the room anew for
each fault. The changed text exists in memory alone, so that the working tree stays as
it is, whatever ends the run.
"""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import itertools
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import libcst as cst
import pytest
from libcst.metadata import (
    CodeRange,
    MetadataWrapper,
    WhitespaceInclusivePositionProvider,
)
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).parents[1]
NAMED = ROOT / "docs/mutants.md"
# What is imported anew where a fault stands outside of functions: our packages, and a
# registry that takes each of our metrics once.
RENEWED = ("bench", "bundle", "exporter", "runtime", "tests", "trainer")
RENEWED += ("prometheus_client",)

# Another pytest runs inside of one, so plugins are imported already. No capture: what a
# forked process writes would be kept in one file with its parent's.
ARGUMENTS = ("-x", "-s", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist")
ARGUMENTS += ("-W", "ignore::pytest.PytestAssertRewriteWarning")

# Rooms where a silent fault costs most, and the arguments with which pytest finds the
# tests of each.
UNIT = ("-m", "not slow and not tensorflow")
ROOMS: dict[str, tuple[str, ...]] = {
    # Hundreds of damaged pictures take seconds, and each is only decoded or refused.
    "bundle/decode.py": ("tests/bundle/test_decode.py", *UNIT, "-k", "not damaged"),
    "bundle/preprocess.py": ("tests/bundle/test_preprocess.py", *UNIT),
    # Tests that kill a process at each of its steps take twenty seconds, and find what
    # the others find.
    "bundle/store.py": (
        "tests/bundle/test_store.py",
        *UNIT,
        "-k",
        "not killed and not at_once and not never_",
    ),
    "bundle/staging.py": ("tests/bundle/test_staging.py", *UNIT),
    "exporter/proof/tolerance.py": ("tests/exporter/proof/test_tolerance.py", *UNIT),
    "exporter/proof/parity.py": ("tests/exporter/proof/test_parity.py", *UNIT),
    "runtime/access/gate.py": ("tests/runtime/access/test_gate.py", *UNIT),
    "runtime/access/tokens.py": ("tests/runtime/access/test_tokens.py", *UNIT),
    "runtime/models/router.py": ("tests/runtime/models/test_router.py", *UNIT),
    "runtime/models/batcher.py": ("tests/runtime/models/test_batcher.py", *UNIT),
    "runtime/models/lookup.py": ("tests/runtime/models/test_lookup.py", *UNIT),
    # It measures time, which another process may take.
    "runtime/http/forms.py": (
        "tests/runtime/http/test_forms.py",
        *UNIT,
        "-k",
        "not worth",
    ),
    "runtime/prediction/rows.py": ("tests/runtime/prediction/test_rows.py", *UNIT),
}


@dataclass(frozen=True)
class Mutant:
    """A room's text with one fault.

    Attributes:
        line: where the fault stands, from 1.
        was: the lines that it changes, without their indentation.
        now: what stands there instead.
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
        """How docs/mutants.md names it; it has no line number, which would drift."""
        return f"`{self.was}` → `{self.now}`"


def mutants_of(source: str) -> list[Mutant]:
    """Every fault that mutmut's operators can put into a text, each once.

    Left out is what decides nothing: annotations, imports, texts for people (those of
    errors and of logs, and docstrings), and names of types.
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
            case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString()):
                return True
            case cst.AnnAssign(annotation=cst.Annotation(cst.Name("TypeAlias"))):
                return True
            case cst.Assign(targets=[cst.AssignTarget(cst.Name(name))]):
                is_type = name[0].isupper() and not name.isupper()
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


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from a text instead of its file."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one room, and gives it the text with the fault."""

    def __init__(self, name: str, path: str, source: str) -> None:
        self._name = name
        self._path = path
        self._source = source

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Loader(fullname, self._path, self._source)
        return importlib.util.spec_from_file_location(
            fullname, self._path, loader=loader
        )


class Bench:
    """A plugin of pytest: once all tests are collected, runs them for each mutant.

    Each run is a process of its own, forked from the one that has imported everything.
    A fault inside a function is put there as the function's code; one outside, such as
    in a constant, needs all of our modules to be imported anew.

    Args:
        room: the file that gets faults.
        mutants: of that file.
        survived: is told each mutant that all tests pass with.
        scratch: an empty folder, for what tests write.
    """

    def __init__(
        self,
        room: str,
        mutants: Sequence[Mutant],
        survived: Callable[[Mutant], None],
        scratch: Path,
    ) -> None:
        self._survived = survived
        self._room = room
        self._name = room.removesuffix(".py").replace("/", ".")
        self._mutants = mutants
        self._told = scratch / "seconds.json"
        self._seconds: dict[str, float] = {}
        self._arguments = [*ARGUMENTS, "--basetemp", str(scratch / "tests")]
        self._arguments += ROOMS[room]
        self._limit = 600.0
        self._fails_always = False

    def run(self) -> None:
        """Run the tests with each mutant.

        Raises:
            SystemExit: the tests do not pass without a fault.
        """
        code = pytest.main(self._arguments, plugins=[self])
        if self._fails_always:
            sys.exit(f"{self._room}: its tests do not pass without a fault")
        if code:
            sys.exit(f"{self._room}: pytest ended with {code!r}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how long a test took."""
        known = self._seconds.get(report.nodeid, 0.0)
        self._seconds[report.nodeid] = known + report.duration

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of one run of the tests: one for each mutant."""
        source = (ROOT / self._room).read_text(encoding="utf-8")
        start = time.monotonic()
        # Without a fault, both ways: else all faults would seem to be found.
        for function in ("", None):
            self._fails_always |= not self._passes(
                session, Mutant(0, "", "", function, source)
            )
        if self._fails_always:
            return True
        self._limit = 5 + 4 * (time.monotonic() - start)
        # Quick tests first: most faults are found by the first.
        seconds = json.loads(self._told.read_text())
        session.items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))
        for mutant in self._mutants:
            if self._passes(session, mutant):
                self._survived(mutant)
        return True

    def _passes(self, session: pytest.Session, mutant: Mutant) -> bool:
        child = os.fork()
        if not child:
            self._run(session, mutant)
        end = time.monotonic() + self._limit
        try:
            while time.monotonic() < end:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    child = 0
                    return status == 0
                time.sleep(0.005)
            return False
        finally:
            if child:
                with suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

    def _run(self, session: pytest.Session, mutant: Mutant) -> None:
        code = 70
        try:
            # A group of its own, to be ended with all that its tests start.
            os.setsid()
            # A fault may turn in a circle.
            seconds = int(self._limit)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            silent = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(silent, descriptor)
            if mutant.function is not None and self._put(mutant):
                code = int(_run_until_one_fails(session))
                self._told.write_text(json.dumps(self._seconds))
            else:
                for name in [n for n in sys.modules if n.partition(".")[0] in RENEWED]:
                    del sys.modules[name]
                path = str(ROOT / self._room)
                sys.meta_path.insert(0, _Finder(self._name, path, mutant.source))
                code = int(pytest.main(self._arguments))
        finally:
            os._exit(code)

    def _put(self, mutant: Mutant) -> bool:
        """Give a function its mutant's code; False if that is not possible."""
        if not mutant.function:
            return True
        found: Any = sys.modules[self._name]
        for name in mutant.function.split("."):
            found = vars(found).get(name)
        if isinstance(found, property):
            found = found.fget
        found = inspect.unwrap(getattr(found, "__func__", found))
        whole = compile(
            mutant.source, str(ROOT / self._room), "exec", dont_inherit=True
        )
        with suppress(AttributeError, ValueError):
            found.__code__ = _code_of(whole, mutant.function)
            return True
        return False


def _run_until_one_fails(session: pytest.Session) -> bool:
    for item, following in zip(session.items, [*session.items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return True
    return False


def _code_of(code: CodeType, function: str) -> CodeType | None:
    """The code of a function, by its qualified name, in that of a module."""
    for part in code.co_consts:
        if isinstance(part, CodeType):
            if part.co_qualname == function:
                return part
            if found := _code_of(part, function):
                return found
    return None


def named_in(text: str, room: str) -> str:
    """What docs/mutants.md says of one room."""
    _, _, rest = text.partition(f"\n## {room}\n")
    return rest.partition("\n## ")[0]


def main(wanted: Sequence[str]) -> int:
    """Say of each room what share of its faults its tests found.

    Args:
        wanted: rooms; none is all of them.

    Returns:
        0 if docs/mutants.md names every fault that was not found.
    """
    if unknown := set(wanted) - set(ROOMS):
        sys.exit(f"no room {', '.join(sorted(unknown))}; rooms: {', '.join(ROOMS)}")
    sample = int(os.environ.get("SAMPLE") or 0)
    reasons = NAMED.read_text(encoding="utf-8")
    made, left, new = 0, 0, 0
    for room in wanted or ROOMS:
        mutants = mutants_of((ROOT / room).read_text(encoding="utf-8"))
        if sample and sample < len(mutants):
            mutants = random.Random(room).sample(mutants, sample)
        report = _Report(room, named_in(reasons, room))
        with tempfile.TemporaryDirectory(prefix="mutate-") as scratch:
            Bench(room, mutants, report, Path(scratch)).run()
        print(f"{room}: {_share(len(mutants), report.survived)}", flush=True)
        made += len(mutants)
        left += report.survived
        new += report.new
    print(
        f"in all: {_share(made, left)}; {new} survivors have no reason in {NAMED.name}"
    )
    return 1 if new else 0


class _Report:
    """Says each survivor, and counts them."""

    def __init__(self, room: str, named: str) -> None:
        self.survived = self.new = 0
        self._room = room
        self._named = named

    def __call__(self, mutant: Mutant) -> None:
        self.survived += 1
        is_named = mutant.name in self._named
        self.new += not is_named
        word = "named" if is_named else "NEW"
        print(f"{self._room}:{mutant.line} {word}: {mutant.name}", flush=True)


def _share(made: int, left: int) -> str:
    share = (made - left) / made if made else 1.0
    return f"{made - left} of {made} mutants killed, {share:.1%}"


if __name__ == "__main__":
    # The tests start threads of their own; those of a linear algebra library would be
    # there before the fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    # What runs the tests is ended with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
