"""Adds ONNX to what was uploaded without it, in the background, one at a time."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Literal

from bundle.errors import BundleError, DomainError, ModelNotFound
from bundle.folder import ONNX
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from bundle.terminal import printable
from bundle.version import Version
from runtime.config import Config
from runtime.conversion.conversions import Conversions
from runtime.models.registry import ModelRegistry
from runtime.process import guard
from runtime.process.daemon_thread import DaemonThread
from runtime.process.environment import child_environment
from runtime.process.exit_code import signal_of
from runtime.telemetry import metrics
from runtime.telemetry.once import Once

logger = logging.getLogger(__name__)

# A process of its own: TensorFlow, and whatever a stranger's model does to it, stay out
# of the service.
# -P: what lies in the working folder is none of its modules.
EXPORTER = (sys.executable, "-P", "-m", "exporter", "convert", "--json")

# What other processes publish into the store, or leave when they end, is found so late.
LOOK_SECONDS = 60.0

# How soon the conversion of a version that was deleted ends.
GONE_SECONDS = 1.0

# The last lines of the exporter's standard error are kept for the log: at most so many
# lines, of so many characters each.
KEPT_LINES = 20
LINE_LENGTH = 4096

# The exporter's outcome is the last line of its standard output. A longer line is none.
OUTCOME_LENGTH = 1 << 16
# A reason is a sentence.
REASON_LENGTH = 500

# Whatever else there is to do goes before.
NICENESS = "19"

# What ends by a signal for the end of processes, not the guard's, may be told so with
# the machine; one that always does is not tried for ever.
INTERRUPTIONS = 3

# refused: it cannot be converted, or answers otherwise. interrupted: the service ends,
# or somebody killed it; it is tried again. gone: the version was deleted meanwhile.
Outcome = Literal[
    "converted", "refused", "failed", "too_slow", "too_large", "interrupted", "gone"
]


def exporter_for(config: Config) -> Sequence[str]:
    """The exporter's command, as the service's settings have it."""
    return (
        *EXPORTER,
        # The guard keeps the limits, of time and of memory.
        "--no-time-limit",
        # Named, so that it reads no config.json.
        *("--models-dir", str(config.model_dir)),
        *("--walls", config.walls),
        *("--run-as-user", config.run_as_user),
        # Without it the exporter looks at an upload's operators once more.
        *(("--trust",) if config.trust_uploads else ()),
    )


class Converter:
    """Converts versions without model.onnx on a thread, while TensorFlow serves them.

    The exporter writes model.onnx into the version's folder when it is proved, and not
    before; every process that serves the store then changes over by itself. Of all
    these processes one converts at a time, one version. It ends with its process.

    Args:
        store: where the versions lie.
        registry: loads what was converted, so that the first request finds it warm.
        conversions: says which are to be converted, and keeps what came of it.
        seconds: that one may take.
        max_bytes: of memory that one may take.
        command: what converts the folder that is its last argument; it exits and
            prints as ``exporter convert --json`` does.
    """

    def __init__(
        self,
        store: ModelStore,
        registry: ModelRegistry,
        conversions: Conversions,
        seconds: float,
        max_bytes: int,
        command: Sequence[str],
    ) -> None:
        self._store = store
        self._registry = registry
        self._conversions = conversions
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._command = command
        self._thread = DaemonThread(self._work, "converter")
        self._is_started = False
        self._woken = threading.Event()
        self._once = Once()  # a store that cannot be read is told of by one look
        # What failed, and the store would not keep that it did.
        self._unwritten: set[tuple[str, int, int]] = set()
        self._interruptions: Counter[tuple[str, int, int]] = Counter()

    def start(self) -> None:
        """Begin with what is in the store; does not wait."""
        self._is_started = self._conversions.is_on
        self.wake()

    def wake(self) -> None:
        """There may be something to convert; nothing is done before ``start``."""
        if not self._is_started:
            return
        self._woken.set()
        self._thread.start()

    def _work(self) -> None:
        while True:
            self._woken.wait(LOOK_SECONDS)
            self._woken.clear()
            try:
                self.convert_all()
                self._once.forget()
            # Whatever it trips over, the next upload is another.
            except Exception as ex:
                if self._once.is_news(str(ex)):
                    logger.warning("uploads cannot be converted: %s", ex, exc_info=ex)

    def convert_all(self) -> None:
        """Convert all that is to be, one after the other; waits for other processes.

        Raises:
            StoreError: the store cannot be read.
            OSError: it cannot be written.
        """
        if not self._wanted() and not self._conversions.is_littered():
            return
        with self._conversions.alone() as lock:
            # Asked anew each time: others may be published or deleted meanwhile.
            while wanted := self._wanted():
                if self._convert(wanted[0], lock) == "interrupted":
                    break
            self._conversions.sweep()

    def _wanted(self) -> list[Version]:
        wanted = self._conversions.wanted()
        return [version for version in wanted if _key(version) not in self._unwritten]

    def _convert(self, version: Version, lock: int) -> Outcome:
        name, number = version.name, version.number
        try:
            self._conversions.begin(version)
        except BundleError:
            return "gone"
        logger.info("converting %s version %d", name, number)
        start = time.monotonic()
        outcome, reason = self._run(version, lock)
        seconds = time.monotonic() - start
        metrics.CONVERSIONS.labels(name, outcome).inc()
        if outcome == "converted":
            logger.info("converted %s version %d in %.1f s", name, number, seconds)
            self._load(version)
        elif reason:
            logger.warning(
                "%s version %d is not converted, after %.1f s: %s",
                name,
                number,
                seconds,
                reason,
            )
            try:
                self._conversions.fail(version, reason)
            # A full disk, say; not to be tried for ever all the same.
            except (BundleError, OSError):
                self._unwritten.add(_key(version))
        else:
            logger.info("conversion of %s version %d: %s", name, number, outcome)
        return outcome

    def _run(self, version: Version, lock: int) -> tuple[Outcome, str]:
        """Let the exporter convert a version.

        Returns:
            What came of it; and why, if it is to be remembered.
        """
        limits = (str(self._seconds), str(self._max_bytes), NICENESS)
        told: deque[str] = deque(maxlen=1)
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        with subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", guard.__name__, *limits),
                *self._command,
                str(version.path.absolute()),
            ],
            # Closed, by the kernel if need be, it ends the conversion.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=_environment(),
            # What the terminal sends to the service is not meant for it.
            start_new_session=True,
            # A service that is killed leaves it, for a moment, at work; nobody else
            # begins before it has ended.
            pass_fds=(lock,),
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            readers = [
                threading.Thread(target=read, daemon=True)
                for read in (
                    partial(_read_outcome, process.stdout, told),
                    partial(_read_lines, process.stderr, lines),
                )
            ]
            for reader in readers:
                reader.start()
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(GONE_SECONDS)
                if not self._is_there(version):
                    process.stdin.close()
            for reader in readers:
                reader.join()
        if not self._is_there(version):
            return "gone", ""
        return self._judge(process.returncode, version, "".join(told), [*lines])

    def _judge(
        self, code: int, version: Version, told: str, lines: list[str]
    ) -> tuple[Outcome, str]:
        # SIGKILL comes from outside, of an operator or where memory runs out, and says
        # little of the model. Below 0: it was the guard itself.
        ended = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
        interrupted = [128 + number for number in ended]
        if code < 0 or code in interrupted:
            self._interruptions[_key(version)] += 1
            if self._interruptions[_key(version)] < INTERRUPTIONS:
                return "interrupted", ""
            how = signal_of(code)
            return "failed", f"its conversion was killed by {how}, time and again"
        if code == guard.NO_SCRATCH:
            # The machine's fault: to be tried again.
            logger.warning("uploads cannot be converted: %s", "\n".join(lines))
            return "interrupted", ""
        if code == guard.TOO_SLOW:
            return "too_slow", (
                f"its conversion took longer than {self._seconds:g} s"
                " (config.json's 'exportSeconds')"
            )
        if code == guard.TOO_LARGE:
            return "too_large", (
                f"its conversion took more than {self._max_bytes} bytes of memory or"
                " of files (config.json's 'exportBytes')"
            )
        outcome, reason = _outcome_of(told)
        if outcome == "converted" and (version.path / ONNX).is_file():
            return "converted", ""
        if outcome in ("refused", "failed") and reason:
            return outcome, _without_folders(printable(reason))[:REASON_LENGTH]
        # The exporter crashed. The log gets its traceback.
        logger.warning("the exporter exited with %d: %s", code, "\n".join(lines))
        if name := signal_of(code):
            return "failed", f"its conversion was killed by {name}"
        return "failed", "its conversion failed, and the service's log says why"

    def _load(self, version: Version) -> None:
        """In this process at once; in others, with their next request."""
        with suppress(DomainError):
            if self._store.current(version.name).number == version.number:
                self._registry.get(ModelSpec(version.name))

    def _is_there(self, version: Version) -> bool:
        """Whether the number is still that folder's, changed or not."""
        try:
            return _key(self._store.version(version.name, version.number)) == _key(
                version
            )
        except ModelNotFound:
            return False


def _key(version: Version) -> tuple[str, int, int]:
    return version.name, version.number, version.state[0]


def _environment() -> dict[str, str]:
    return {
        # No tokens; and it has no part in the service's counters.
        **child_environment(),
        # The GPU's memory is the service's; what is proved is proved on the CPU.
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def _read_outcome(stream: IO[str], told: deque[str]) -> None:
    """Keep the last line, and read to the end: a child waits when its pipe is full."""
    told.extend(guard.lines_of(stream, OUTCOME_LENGTH))


def _outcome_of(told: str) -> tuple[Outcome | None, str]:
    """The outcome and the reason in a line of ``exporter convert --json``.

    The outcome is None where the line is something else.
    """
    try:
        match json.loads(told):
            case {
                "outcome": "converted" | "refused" | "failed" as outcome,
                "reason": str(reason),
            }:
                return outcome, reason
    except (ValueError, RecursionError):
        pass
    return None, ""


def _read_lines(stream: IO[str], lines: deque[str]) -> None:
    """Keep the last lines, and read to the end."""
    for line in guard.lines_of(stream, LINE_LENGTH):
        lines.append(line.rstrip("\n"))
        logger.debug("exporter: %s", lines[-1])


_PATH = re.compile(r"(?<!\w)/[^\s'\",;:()]+")


def _without_folders(sentence: str) -> str:
    """Paths of this machine as their last names: clients read it.

    What only looks like one, such as the name of a layer, stays.
    """

    def shorten(found: re.Match[str]) -> str:
        path = Path(found[0])
        return path.name if Path(*path.parts[:2]).exists() else found[0]

    return _PATH.sub(shorten, sentence)
