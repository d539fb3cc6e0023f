"""The trial of what is to be published: looked at, opened, warmed, run on its sample.

``python -m runtime.trial`` does it in a process of its own, under ``runtime.guard``: a
model may crash an engine, loop for ever or take all memory, and the service goes on.
Its standard input is the order, a JSON object, and its last line of standard output the
answer.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
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
from runtime.programs import check_programs

logger = logging.getLogger(__name__)

# Begins the answer's line; engines write what they like.
_MARK = "tfaas-trial "
# Characters of a line, and lines, that are kept of what a child says.
_LINE = 1 << 16
_LINES = 20
# Requests go before it. Who uploads waits a little longer, where all cores are busy.
_NICENESS = 5


@dataclass(frozen=True)
class Opened:
    """How a bundle was opened.

    Attributes:
        engine: ``engine/device``.
        fallback_reason: why that is not ONNX Runtime; else empty.
    """

    engine: str
    fallback_reason: str


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
    return Opened(engine_of(model.backend), model.fallback_reason)


class ChildTrial:
    """Tries bundles in processes of their own.

    Args:
        options: how they are opened.
        trusted: see ``check_programs``.
        seconds: that one may take.
        max_bytes: of its memory.
    """

    def __init__(
        self, options: BackendOptions, *, trusted: bool, seconds: int, max_bytes: int
    ) -> None:
        # What is measured of a model to batch it, the service measures itself.
        options = replace(options, batching="off")
        self._order = {"options": asdict(options), "trusted": trusted}
        self._seconds = seconds
        self._max_bytes = max_bytes

    def __call__(self, bundle: Bundle) -> Opened:
        """Try one; raises what ``try_here`` raises."""
        order = json.dumps({**self._order, "path": str(bundle.path.absolute())})
        limits = (str(self._seconds), str(self._max_bytes), str(_NICENESS))
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", guard.__name__, *limits),
                *(sys.executable, "-P", "-m", __name__, order),
            ],
            # The guard ends it when this end is closed, if only because the service is
            # killed.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=_environment(),
            start_new_session=True,
        )
        with process:
            assert process.stdout is not None
            lines = iter(partial(process.stdout.readline, _LINE), "")
            said = deque(lines, maxlen=_LINES)
            code = process.wait()
        for line in reversed(said):
            if code == 0 and line.startswith(_MARK):
                return _answer_of(json.loads(line.removeprefix(_MARK)))
        raise BundleError(f"the bundle cannot be served: {self._why(code, said)}")

    def _why(self, code: int, said: deque[str]) -> str:
        if code == guard.TOO_SLOW:
            return f"to open it takes longer than {self._seconds} s ('trialSeconds')"
        if code == guard.TOO_LARGE:
            return (
                f"to open it takes more than {self._max_bytes} bytes of memory"
                " ('trialBytes')"
            )
        # The guard's own death, or its child's by way of a shell's number.
        number = -code if code < 0 else code - 128
        try:
            return f"to open it crashes ({signal.Signals(number).name})"
        except ValueError:
            logger.warning("a trial exited with %d: %s", code, "".join(said))
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


if __name__ == "__main__":
    main(sys.argv[1])
