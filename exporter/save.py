"""Write a Keras file as a SavedModel, which serves it where its ONNX cannot."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from bundle.disk import refusal
from bundle.staging import Staging, sync_tree
from exporter.child.run import Limits, Tell, run_in_child
from exporter.child.scratch import scratch
from exporter.errors import ExportError, OutputError, SourceError, WorkFailed
from exporter.sources.source import Source


@dataclass(frozen=True)
class Order:
    """The work that the child process is given.

    Attributes:
        file: the Keras file.
        folder: the folder of the SavedModel, in a scratch folder.
    """

    file: Path
    folder: Path


def save(
    source: Source, output: Path, *, limits: Limits, tell: Tell, verbose: bool = False
) -> None:
    """Write a Keras file as a SavedModel in a child process.

    Args:
        source: the Keras file.
        output: a new or empty folder.
        limits: the child's limits of time and memory.
        tell: is called with each step.
        verbose: show the output of TensorFlow.

    Raises:
        SourceError: the source is no Keras file, or holds code.
        OutputError: there are files at ``output``.
        ExportError: the file cannot be saved; nothing was written.
        WorkFailed: the work crashed, or a disk refused it; nothing was written.
    """
    if source.kind != "keras":
        raise SourceError(f"{source.given} is no Keras file, and needs no saving")
    try:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise OutputError(
                f"{output} is there already, and is not replaced; name a new folder"
                " with --output"
            )
        with scratch() as folder, Staging(output.absolute().parent).folder() as staged:
            made = folder / "saved_model"
            run_in_child(
                _save,
                Order(source.graph, made),
                limits=limits,
                tell=tell,
                verbose=verbose,
                reads=[source.graph],
                writes=[folder],
            )
            _see_that_it_is_plain(made)
            shutil.copytree(made, staged, dirs_exist_ok=True)
            sync_tree(staged)
            # A rename replaces an empty folder, but no other folder.
            staged.rename(output)
    except OSError as ex:
        why = refusal(ex, "name another place with --output")
        raise WorkFailed(f"{output.name} cannot be written: {why}") from ex


def _save(order: Order, tell: Tell) -> None:
    from exporter.sources.keras_file import save_keras

    tell("saving")
    save_keras(order.file, order.folder)


def _see_that_it_is_plain(folder: Path) -> None:
    """Refuse links and pipes that a model may have left: none is followed or read."""
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in (*folders, *files)):
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise ExportError(f"the work left {path.name}, which is no plain file")
