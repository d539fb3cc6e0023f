"""The trial of what is to be published: looked at, opened, warmed, run on its sample.

It is done in a process of its own, under ``runtime.guard``: a model may crash an
engine, loop for ever or take all memory, and the service goes on. From
``runtime.forkserver`` comes the order, a JSON object; the last line of standard output
is the answer.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bundle.errors import BundleError, DomainError
from bundle.folder import Bundle, open_bundle
from runtime import counters, guard
from runtime.backends import BackendOptions, engine_of
from runtime.errors import BackendError, ProviderError
from runtime.forkserver import ForkServer
from runtime.guard import Limits
from runtime.programs import check_programs, operators

logger = logging.getLogger(__name__)

# Begins the answer's line; engines write what they like.
_MARK = "tfaas-trial "
# Characters of a line, and lines, that are kept of what a child says.
_LINE = 1 << 16
_LINES = 20
# Of one process: each may take all the memory that one is given.
_AT_ONCE = 2
# Requests go before it. Who uploads waits a little longer, where all cores are busy.
_NICENESS = 5


@dataclass(frozen=True)
class Opened:
    """How a bundle was opened.

    Attributes:
        engine: ``engine/device``.
        fallback_reason: why that is not ONNX Runtime; else empty.
        warm_up: why the model was not warmed; empty if it was.
    """

    engine: str
    fallback_reason: str
    warm_up: str


Trial = Callable[[Bundle], Opened]


def try_here(bundle: Bundle, options: BackendOptions, *, trusted: bool) -> Opened:
    """Try a bundle in this process.

    Raises:
        BundleError: it would run what is not taken, or cannot be served.
        ProviderError: CUDA was demanded and does not work.
    """
    check_programs(bundle, trusted=trusted)
    # Not at the top: a bundle that is refused above needs no engine.
    from runtime.model import model_of

    try:
        model = model_of(bundle, None, options)
    except BackendError as ex:
        raise BundleError(f"the bundle cannot be served: {ex}") from ex
    return Opened(engine_of(model.backend), model.fallback_reason, model.warm_up)


class ChildTrial:
    """Tries bundles in processes of their own, two at a time.

    Args:
        options: how they are opened.
        trusted: see ``check_programs``.
        seconds: that one may take.
        max_bytes: of its memory.
    """

    def __init__(
        self, options: BackendOptions, *, trusted: bool, seconds: int, max_bytes: int
    ) -> None:
        self._options = options
        self._trusted = trusted
        self._limits = Limits(seconds, max_bytes, _NICENESS)
        self._server = ForkServer(__name__, _environment())
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def __call__(self, bundle: Bundle) -> Opened:
        """Try one; raises what ``try_here`` raises."""
        options = self._options.of(bundle.params.name)
        # What is measured of a model to batch it, the service measures itself.
        options = replace(options, batching="off", models={})
        path = str(bundle.path.absolute())
        order = json.dumps(
            {"path": path, "options": asdict(options), "trusted": self._trusted}
        )
        for _ in range(2):
            with self._turns, self._server.start(order, self._limits) as child:
                lines = iter(partial(child.output.readline, _LINE), "")
                said = deque(lines, maxlen=_LINES)
                code = child.wait()
            # None: its server had nothing to do, and ended at this moment.
            if code is not None:
                break
        for line in reversed(said):
            if code == 0 and line.startswith(_MARK):
                return _answer_of(json.loads(line.removeprefix(_MARK)))
        raise BundleError(f"the bundle cannot be served: {self._why(code, said)}")

    def close(self) -> None:
        """End the process that starts them; trials that run go on."""
        self._server.close()

    def _why(self, code: int | None, said: deque[str]) -> str:
        if code == guard.TOO_SLOW:
            seconds = self._limits.seconds
            return f"to open it takes longer than {seconds} s ('trialSeconds')"
        if code == guard.TOO_LARGE:
            return (
                f"to open it takes more than {self._limits.max_bytes} bytes of memory"
                " ('trialBytes')"
            )
        try:
            # A shell's number for a signal; None: the guard's own death.
            signal_ = signal.Signals(code - 128 if code else 0)
            return f"to open it crashes ({signal_.name})"
        except ValueError:
            logger.warning("a trial exited with %s: %s", code, "".join(said))
            return "to open it fails, and the service's log says why"


_ERRORS: dict[str, type[DomainError]] = {
    "bundle": BundleError,
    "provider": ProviderError,
}


def _answer_of(answer: dict[str, Any]) -> Opened:
    if "error" in answer:
        raise _ERRORS[answer["kind"]](answer["error"])
    return Opened(**answer)


def _environment() -> dict[str, str]:
    # Its counters are none of the service's.
    environment = {k: v for k, v in os.environ.items() if k != counters.VARIABLE}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    return environment


def prepare() -> None:
    """Import what most bundles need; TensorFlow, which few do, takes seconds."""
    for name in ("runtime.model", "runtime.backends.onnx"):
        importlib.import_module(name)
    operators()


def main(order: str) -> None:
    """Try the bundle that an order names; print what came of it."""
    given = json.loads(order)
    options = BackendOptions(**given["options"])
    try:
        bundle = open_bundle(Path(given["path"]))
        answer = asdict(try_here(bundle, options, trusted=given["trusted"]))
    except ProviderError as ex:
        answer = {"kind": "provider", "error": str(ex)}
    except DomainError as ex:
        answer = {"kind": "bundle", "error": str(ex)}
    # What an engine wrote last may have no end.
    sys.stdout.write(f"\n{_MARK}{json.dumps(answer)}\n")
