"""The exporter at work on somebody's own model, in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bundle.scratch import scratch_folder
from bundle.terminal import printable
from runtime.admin.errors import AdminError, WorkFailed
from runtime.config import Config
from runtime.conversion.exporter import EXPORTER, exporter_for, outcome_of, work_for
from runtime.process.environment import child_environment
from runtime.process.exit_code import signal_of
from runtime.process.guard import UNLIMITED, guarded

_INSTALL = (
    "which is not installed; install the extra 'export' (docs/installing.md), or do it"
    " on a machine that has it"
)


def can_convert() -> bool:
    """Tell whether the exporter and all that it needs are installed."""
    found = importlib.util.find_spec
    return all(found(name) for name in ("exporter", "tf2onnx", "tensorflow"))


@contextmanager
def workplace(kind: str, config: Config) -> Iterator[Path]:
    """Give an empty folder for models that are converted and tried; then remove it.

    Raises:
        OSError: the folder for temporary files cannot be written.
    """
    with scratch_folder(kind) as folder:
        if config.run_as_user:
            # TensorFlow asks access(2) whether a file is there, and that call does not
            # heed the privilege to read others' files.
            folder.chmod(0o711)
        yield folder


def save(file: Path, folder: Path, config: Config) -> None:
    """Write a Keras file as a SavedModel into a new folder.

    Raises:
        AdminError: the file holds no model that Keras can load, or the exporter is not
            installed.
        WorkFailed: the work crashed.
    """
    if not can_convert():
        raise AdminError(
            f"{file.name} is a Keras file and needs the exporter, {_INSTALL}"
        )
    command = (*EXPORTER, "save", *work_for(config), "--output", str(folder))
    if reason := _run((*command, str(file.absolute()))):
        raise AdminError(reason)


def convert(
    path: Path, config: Config, options: Sequence[str] = (), output: Path | None = None
) -> str:
    """Convert a model to ONNX, prove it, and write both beside it or elsewhere.

    Args:
        path: a bundle's folder, a SavedModel's folder or a frozen graph.
        config: the settings of the walls, and whether the model is trusted.
        options: options of ``exporter convert`` that choose a part of the model.
        output: the folder of model.onnx; None is the model's own.

    Returns:
        The reason why there is no ONNX; empty if it was written and proved.

    Raises:
        WorkFailed: the exporter crashed.
    """
    place = ("--output", str(output)) if output else ()
    return _run((*exporter_for(config), *options, *place, str(path.absolute())))


def demand_exporter(why: str) -> None:
    """Refuse a work that nothing but the exporter can do.

    Raises:
        AdminError: the exporter is not installed.
    """
    if not can_convert():
        raise AdminError(f"{why} needs the exporter, {_INSTALL}")


def _run(command: Sequence[str]) -> str:
    """Run the exporter; return the reason why it refused the work, or nothing."""
    wanted, wanting = os.pipe()
    try:
        with subprocess.Popen(
            guarded(command, UNLIMITED),
            stdin=wanted,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=child_environment(),
            # Ctrl-C in a terminal reaches only this process, which then ends the work.
            start_new_session=True,
        ) as process:
            try:
                output, said = process.communicate()
            except BaseException:  # SIGTERM's exit, too
                process.terminate()
                process.wait()
                raise
    finally:
        # When this process is killed, the kernel closes them, and the guard ends the
        # exporter and all that it started.
        os.close(wanting)
        os.close(wanted)
    lines = output.splitlines()
    outcome, reason = outcome_of(lines[-1] if lines else "")
    if outcome == "converted":
        return ""
    if outcome == "refused" and reason:
        return printable(reason)
    last = printable(reason or (said.splitlines() or [""])[-1])
    how = signal_of(process.returncode) or f"exit code {process.returncode}"
    raise WorkFailed(f"the exporter failed ({how}): {last}")
