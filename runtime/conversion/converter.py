"""Adds ONNX to uploads without it, in the background, one at a time."""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
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
from runtime.conversion.conversions import Conversions
from runtime.conversion.exporter import outcome_of
from runtime.models.registry import ModelRegistry
from runtime.process import guard
from runtime.process.daemon_thread import DaemonThread
from runtime.process.environment import child_environment
from runtime.process.exit_code import signal_of
from runtime.telemetry import metrics
from runtime.telemetry.once import Once

logger = logging.getLogger(__name__)

# Versions that other processes publish, or leave when they end, are found so late.
LOOK_SECONDS = 60.0

# The conversion of a deleted version ends after so many seconds.
GONE_SECONDS = 1.0

# The last lines of the exporter's standard error are kept for the log: at most so many
# lines, of so many characters each.
KEPT_LINES = 20
LINE_LENGTH = 4096

# The exporter's outcome is the last line of its standard output. A longer line is not
# an outcome.
OUTCOME_LENGTH = 1 << 16
# A reason is a sentence of at most so many characters.
REASON_LENGTH = 500

# All other work comes first.
NICENESS = 19

# A conversion that SIGTERM ended may only mean that the machine shuts down: it is tried
# again, at most so many times in all.
INTERRUPTIONS = 3

# refused: the model cannot be converted, or its ONNX answers otherwise.
# interrupted: the service ended, or somebody killed the conversion; it is tried again.
# gone: the version was deleted meanwhile.
Outcome = Literal[
    "converted", "refused", "failed", "too_slow", "too_large", "interrupted", "gone"
]


class Converter:
    """Converts versions without model.onnx on a thread, while TensorFlow serves them.

    The exporter writes model.onnx into the version's folder only after its proof. Every
    process that serves the store then uses it at its next request. Only one of these
    processes converts at a time, and only one version. The conversion ends with its
    process.

    Args:
        store: the store of the versions.
        registry: the registry; it loads a converted version, so the first request finds
            it warm.
        conversions: the conversions; they tell which versions wait, and keep the
            results.
        seconds: the time that one conversion may take.
        max_bytes: the memory that one conversion may take, in bytes.
        command: the command that converts the folder in its last argument. It exits and
            prints like ``exporter convert --json``.
        share: a function that tells other machines of a version's ONNX.
    """

    def __init__(
        self,
        store: ModelStore,
        registry: ModelRegistry,
        conversions: Conversions,
        seconds: float,
        max_bytes: int,
        command: Sequence[str],
        share: Callable[[Version], None] = lambda version: None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._conversions = conversions
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._command = command
        self._share = share
        self._thread = DaemonThread(self._work, "converter")
        self._is_started = False
        self._woken = threading.Event()
        self._once = Once()  # an unreadable store is reported once
        # These versions failed, and the store could not keep a note of that.
        self._unwritten: set[tuple[str, int, int]] = set()
        self._interruptions: Counter[tuple[str, int, int]] = Counter()

    def start(self) -> None:
        """Begin to convert the versions in the store; do not wait."""
        self._is_started = self._conversions.is_on
        self.wake()

    def wake(self) -> None:
        """Look for versions to convert; before ``start``, do nothing."""
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
            # Every error is caught: the next upload may go well.
            except Exception as ex:
                if self._once.is_news(str(ex)):
                    logger.warning("uploads cannot be converted: %s", ex, exc_info=ex)

    def convert_all(self) -> None:
        """Convert all versions that wait, one by one; wait for other processes first.

        Raises:
            StoreError: the store cannot be read.
            OSError: the store cannot be written.
        """
        if not self._wanted() and not self._conversions.is_littered():
            return
        with self._conversions.alone() as lock:
            # The store is asked each time: versions may be published or deleted.
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
            self._share_with_others(version)
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
            # The disk may be full; the version must still not be tried for ever.
            except (BundleError, OSError):
                self._unwritten.add(_key(version))
        else:
            logger.info("conversion of %s version %d: %s", name, number, outcome)
        return outcome

    def _run(self, version: Version, lock: int) -> tuple[Outcome, str]:
        """Let the exporter convert a version.

        Returns:
            The outcome, and the reason if it is to be remembered.
        """
        limits = guard.Limits(self._seconds, self._max_bytes, NICENESS)
        command = (*self._command, str(version.path.absolute()))
        told: deque[str] = deque(maxlen=1)
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        with subprocess.Popen(
            guard.guarded(command, limits),
            # When this closes, the conversion ends; the kernel closes it at the latest.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=_environment(),
            # Signals that the terminal sends to the service must not reach it.
            start_new_session=True,
            # The exporter may run on for a moment after a service was killed. It keeps
            # the lock, so no other conversion begins before it has ended.
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
        # SIGKILL comes from a person, or where memory runs out, and says little about
        # the model. A code below 0 means that the guard itself was killed.
        ended = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
        interrupted = [128 + number for number in ended]
        if code < 0 or code in interrupted:
            self._interruptions[_key(version)] += 1
            if self._interruptions[_key(version)] < INTERRUPTIONS:
                return "interrupted", ""
            how = signal_of(code)
            return "failed", f"its conversion was killed by {how} at each try"
        if code == guard.NO_SCRATCH:
            # This is the machine's fault, so it is tried again.
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
        outcome, reason = outcome_of(told)
        if outcome == "converted" and (version.path / ONNX).is_file():
            return "converted", ""
        if outcome in ("refused", "failed") and reason:
            return outcome, _without_folders(printable(reason))[:REASON_LENGTH]
        # The exporter crashed. The log gets its traceback.
        logger.warning("the exporter exited with %d: %s", code, "\n".join(lines))
        if name := signal_of(code):
            return "failed", f"its conversion was killed by {name}"
        return "failed", "its conversion failed, and the service's log says why"

    def _share_with_others(self, version: Version) -> None:
        try:
            self._share(version)
        except DomainError as ex:  # they serve it from TensorFlow
            logger.warning(
                "%s version %d has its ONNX on this machine alone: %s",
                version.name,
                version.number,
                ex,
            )

    def _load(self, version: Version) -> None:
        """Load it in this process now; others load it with their next request."""
        with suppress(DomainError):
            if self._store.current(version.name).number == version.number:
                self._registry.get(ModelSpec(version.name))

    def _is_there(self, version: Version) -> bool:
        """Tell whether the number still means this folder, changed or not."""
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
        # The environment has no tokens, and not the service's folder of counters.
        **child_environment(),
        # The GPU's memory is for the service; the proof runs on the CPU.
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def _read_outcome(stream: IO[str], told: deque[str]) -> None:
    """Keep the last line, and read to the end: a child waits when its pipe is full."""
    told.extend(guard.lines_of(stream, OUTCOME_LENGTH))


def _read_lines(stream: IO[str], lines: deque[str]) -> None:
    """Keep the last lines, and read to the end."""
    for line in guard.lines_of(stream, LINE_LENGTH):
        lines.append(line.rstrip("\n"))
        logger.debug("exporter: %s", lines[-1])


_PATH = re.compile(r"(?<!\w)/[^\s'\",;:()]+")


def _without_folders(sentence: str) -> str:
    """Shorten paths of this machine to their last names, because clients read it.

    A text that only looks like a path, such as the name of a layer, stays.
    """

    def shorten(found: re.Match[str]) -> str:
        path = Path(found[0])
        return path.name if Path(*path.parts[:2]).exists() else found[0]

    return _PATH.sub(shorten, sentence)
