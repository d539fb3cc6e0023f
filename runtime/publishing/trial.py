"""The trial of a bundle before it is published: it is checked, opened and run.

The trial runs in a process of its own, under ``runtime.process.guard`` and behind
``runtime.walls``. A model may crash an engine, loop for ever, take all memory or do
something unforeseen, and the service goes on. ``runtime.process.forkserver`` hands the
order over, a JSON object; the last line of standard output is the answer.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bundle.errors import BundleError, DomainError, StoreError
from bundle.folder import open_whole
from bundle.variants import onnx_file
from runtime import programs, walls
from runtime.backends import engine_of, tensorflow_child
from runtime.backends.options import BackendOptions
from runtime.config import Walls
from runtime.errors import BackendError, ProviderError, WallsError
from runtime.process import guard
from runtime.process.environment import child_environment
from runtime.process.exit_code import signal_of
from runtime.process.forkserver import Child, ForkServer, NotStarted
from runtime.process.guard import Limits
from runtime.programs import check_programs

logger = logging.getLogger(__name__)

# The answer's line begins so, because engines write lines of their own.
_MARK = "tfaas-trial "
# So many characters of a line, and so many last lines of a child, are kept.
_LINE = 1 << 16
_LINES = 20
# A service runs so many trials at once: each may take all the memory that one may take.
_AT_ONCE = 2
# Requests come first: an upload takes a little longer if all cores are busy.
_NICENESS = 5
# This tells a fault that is probably not the bundle's.
_FAILS = "opening it fails, and the service's log says why"


@dataclass(frozen=True)
class Opened:
    """The result of opening a bundle.

    Attributes:
        name: the name in its params.json.
        engine: the engine, as ``engine/device``.
        fallback_reason: the reason why that is not ONNX Runtime; else empty.
        warm_up: the reason why the model was not warmed; empty if it was.
    """

    name: str
    engine: str
    fallback_reason: str
    warm_up: str


# A function that tries the bundle in a folder, which nobody has looked at before.
Trial = Callable[[Path], Opened]


def try_here(folder: Path, options: BackendOptions, *, trusted: bool) -> Opened:
    """Try the bundle in a folder, in this process.

    Raises:
        BundleError: the bundle is not whole, holds operators that are not allowed, or
            cannot be served.
        ProviderError: CUDA was demanded and does not work.
    """
    bundle = open_whole(folder)
    check_programs(bundle, trusted=trusted)
    # The import is here, because a bundle that is refused above needs no engine.
    from runtime.models.opening import model_of

    # The service itself measures whether batches pay.
    options = replace(options.of(bundle.params.name), batching="off", models={})
    try:
        model = model_of(bundle, None, options)
    except BackendError as ex:
        raise BundleError(f"the bundle cannot be served: {ex}") from ex
    return Opened(
        bundle.params.name,
        engine_of(model.backend),
        model.fallback_reason,
        model.warm_up,
    )


class ChildTrial:
    """Tries bundles in processes of their own, two at a time.

    Args:
        servers: the fork servers that start the processes; see ``fork_servers``.
        options: the options with which bundles are opened.
        trusted: whether every operator is allowed; see ``check_programs``.
        seconds: the time that one trial may take.
        max_bytes: the memory that one trial may take, in bytes.
        policy: the policy on the walls around a trial.
        user: the user that a trial becomes, where the service runs as root.

    Attributes:
        options: the argument of this name; trials that begin later heed new ones.
    """

    def __init__(
        self,
        servers: tuple[ForkServer, ForkServer],
        options: BackendOptions,
        *,
        trusted: bool,
        seconds: int,
        max_bytes: int,
        policy: Walls = "auto",
        user: str = "",
    ) -> None:
        self.options = options
        self._trusted = trusted
        self._limits = Limits(seconds, max_bytes, _NICENESS)
        self._policy = policy
        self._user = user
        self._servers = servers
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def __call__(self, folder: Path) -> Opened:
        """Try the bundle in a folder.

        Raises:
            BundleError, ProviderError: see ``try_here``.
            WallsError: walls are demanded, and cannot be put up here.
            StoreError: no temporary file can be written.
        """
        walls.demand(self._policy)
        order = json.dumps(
            {
                "path": str(folder.absolute()),
                "options": asdict(self.options),
                "trusted": self._trusted,
                "max_bytes": self._limits.max_bytes,
                "policy": self._policy,
                "user": self._user,
            }
        )
        said: deque[str] = deque(maxlen=_LINES)
        try:
            with self._turns, self._start(folder, order) as child:
                said.extend(guard.lines_of(child.output, _LINE))
                code = child.wait()
        except NotStarted as ex:
            raise BundleError(f"the bundle cannot be served: {_FAILS}") from ex
        for line in reversed(said):
            if code == 0 and line.startswith(_MARK):
                try:
                    return _answer_of(json.loads(line.removeprefix(_MARK)))
                # A model that took over its process may write anything.
                except (AttributeError, KeyError, TypeError, ValueError):
                    break
        if code == guard.NO_SCRATCH:
            logger.error("an upload cannot be tried: %s", "".join(said).strip())
            raise StoreError(
                "the upload cannot be tried: the service can write no temporary file,"
                " and its log says why"
            )
        raise BundleError(f"the bundle cannot be served: {self._why(code, said)}")

    def _start(self, folder: Path, order: str) -> Child:
        """Start a child of the fork server that has imported the engines it needs."""
        has_onnx = (folder / onnx_file("fp32")).is_file()
        server = self._servers[0 if has_onnx else 1]
        return server.start(order, self._limits, module=__name__)

    def _why(self, code: int | None, said: deque[str]) -> str:
        if code == guard.TOO_SLOW:
            seconds = self._limits.seconds
            return f"opening it takes longer than {seconds} s ('trialSeconds')"
        if code == guard.TOO_LARGE:
            return (
                f"opening it takes more than {self._limits.max_bytes} bytes of memory"
                " or of files ('trialBytes')"
            )
        if name := signal_of(code):
            return f"opening it crashes ({name})"
        logger.warning("a trial exited with %s: %s", code, "".join(said))
        return _FAILS


_ERRORS: dict[str, type[DomainError]] = {
    "bundle": BundleError,
    "provider": ProviderError,
    "walls": WallsError,
}


def _answer_of(answer: dict[str, Any]) -> Opened:
    if "error" in answer:
        raise _ERRORS[answer["kind"]](str(answer["error"]))
    opened = Opened(**answer)
    if not all(isinstance(told, str) for told in vars(opened).values()):
        raise TypeError("a trial's answer must hold texts")
    return opened


@functools.cache
def fork_servers() -> tuple[ForkServer, ForkServer]:
    """Return this process's fork servers, which start when they are first needed.

    Returns:
        A server that has imported ONNX Runtime alone; and one that has also imported
        TensorFlow, which forks the processes in which TensorFlow serves, too.
    """
    modules = (__name__, tensorflow_child.__name__)
    servers = (
        # The environment has no tokens, and not the service's folder of counters.
        ForkServer(modules[:1], child_environment()),
        ForkServer(modules, child_environment()),
    )
    for server in servers:
        atexit.register(server.close)
    return servers


def prepare() -> None:
    """Import the modules that a bundle with ONNX needs.

    Other bundles are tried where TensorFlow is imported too.
    """
    for name in ("runtime.models.model", "runtime.backends.onnx"):
        importlib.import_module(name)
    programs.prepare()
    walls.prepare()


def main(order: str) -> None:
    """Try the bundle that an order names, and print the result."""
    given = json.loads(order)
    options = BackendOptions(**given["options"])
    folder = Path(given["path"])
    try:
        _enclose(folder, given)
        answer = asdict(try_here(folder, options, trusted=given["trusted"]))
    except ProviderError as ex:
        answer = {"kind": "provider", "error": str(ex)}
    except WallsError as ex:
        answer = {"kind": "walls", "error": str(ex)}
    except DomainError as ex:
        answer = {"kind": "bundle", "error": str(ex)}
    # The last line of an engine may have no end, so this begins a new line.
    sys.stdout.write(f"\n{_MARK}{json.dumps(answer)}\n")


def _enclose(folder: Path, given: dict[str, Any]) -> None:
    """Shut this process in with a bundle and a scratch folder."""
    scratch = (Path(os.environ["TMPDIR"]),)
    room = walls.Room((folder,), scratch, given["max_bytes"], given["user"])
    walls.enclose(room, given["policy"])
