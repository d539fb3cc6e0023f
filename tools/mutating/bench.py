"""Runs a room's tests with each of its mutants.

The faulty text exists in memory alone, so the working tree stays as it is, whatever
ends the run.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from tools.mutating.mutants import Mutant
from tools.mutating.rooms import PRELOADED, ROOMS

ROOT = Path(__file__).parents[2]
# These are imported anew where a fault stands outside of functions: our packages, and
# a registry that takes each of our metrics once.
RENEWED = ("bench", "bundle", "exporter", "runtime", "tests", "trainer")
RENEWED += ("prometheus_client",)

# Another pytest runs inside of one, so plugins are imported already. Nothing is
# captured: a forked process would write into its parent's file.
ARGUMENTS = ("-x", "-s", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist")
ARGUMENTS += ("-W", "ignore::pytest.PytestAssertRewriteWarning")


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
        mutants: the faults to try.
        survived: is told each mutant that all tests pass with.
        scratch: an empty folder, for what tests write.

    Attributes:
        late: the number of runs that were ended because they took too long; each
            counts as a fault that was found.
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
        # Seconds of a run: with a fault in a function, and with one elsewhere.
        self._limits = {False: 600.0, True: 600.0}
        self._fails_always = False
        self.late = 0

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
        if name := PRELOADED.get(self._room):
            importlib.import_module(name)
        source = (ROOT / self._room).read_text(encoding="utf-8")
        # Without a fault, both ways: else all faults would seem to be found.
        for function in ("", None):
            whole, start = Mutant(0, "", "", function, source), time.monotonic()
            self._fails_always |= not self._passes(session, whole)
            self._limits[function is None] = 5 + 4 * (time.monotonic() - start)
        if self._fails_always:
            return True
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
        end = time.monotonic() + self._limits[mutant.function is None]
        status = None
        try:
            while status is None and time.monotonic() < end:
                time.sleep(0.005)
                ended, seen = os.waitpid(child, os.WNOHANG)
                status = seen if ended else None
            self.late += status is None
            return status == 0
        finally:
            # Its group, too: a test that failed leaves what it started.
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            if status is None:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

    def _run(self, session: pytest.Session, mutant: Mutant) -> None:
        code = 70
        try:
            # A group of its own, to be ended with all that its tests start.
            os.setsid()
            # A fault may turn in a circle.
            seconds = int(self._limits[mutant.function is None])
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
