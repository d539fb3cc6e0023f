"""Checkpoints: the state after each trial and each epoch, from which it can go on.

They lie in a hidden folder beside the bundle's place. Each is one file, replaced by one
rename, so a kill at any moment leaves the one before whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bundle import __version__
from bundle.staging import sync
from trainer.errors import CheckpointError
from trainer.learner import Learner
from trainer.samples import Samples
from trainer.saved import SCHEMA, Saved, read_order, read_saved, write_saved
from trainer.settings import Settings
from trainer.trials import Trial

FOLDER_NAME = ".training"
# So many images are read at a time for the digest.
_ROWS = 1024
# Other versions of these may compute other bits. One of TensorFlow's two is there.
_PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-cpu")
# The letters of a digest in a file's name; two orders never share so many.
_LETTERS = 16


class Checkpoints:
    """The checkpoint of one order.

    Args:
        place: the folder in which the bundle will be published.
        name: the name that the bundle will have there.
        order: the options that decide the weights, by their names on the command line.
        data: the data set.
        files: other files that decide the weights.

    Attributes:
        file: the file of the checkpoint, whether or not it is there.
    """

    def __init__(
        self,
        place: Path,
        name: str,
        order: Mapping[str, Any],
        data: Samples,
        files: tuple[Path, ...] = (),
    ) -> None:
        self._order = dict(order)
        self._folder = place / FOLDER_NAME / name
        digest = _digest(self._order, data, files)
        self.file = self._folder / f"{digest[:_LETTERS]}.npz"
        # A kill in the middle of a write leaves a file of such a name.
        self._temporary = f".{digest[:_LETTERS]}."

    def find(self) -> Saved | None:
        """Read the checkpoint of the same order and data; None if there is none.

        Raises:
            CheckpointError: the file is damaged.
        """
        try:
            return read_saved(self.file)
        except FileNotFoundError:
            return None

    def need(self) -> Saved:
        """Read the checkpoint.

        Raises:
            CheckpointError: there is none of this order; the sentence tells the
                difference to another one that is there.
        """
        if saved := self.find():
            return saved
        for other in sorted(self._folder.glob("*.npz")):
            raise CheckpointError(self._difference(read_order(other)))
        raise CheckpointError(
            f"there is no checkpoint in {self._folder}, from which --resume could go"
            " on; leave --resume out"
        )

    def write(
        self, learner: Learner | None, settings: Settings, trials: Sequence[Trial]
    ) -> None:
        """Write the state of a training, and replace the state before.

        Args:
            learner: the model in training; None if only trials are done.
            settings: see ``Saved``, as for ``trials``.
            trials: the trials.

        Raises:
            OSError: the disk refuses it; the state before stays.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        temporary = self._folder / f"{self._temporary}{uuid.uuid4().hex}"
        try:
            with temporary.open("xb") as stream:
                write_saved(stream, self._order, learner, settings, trials)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.file)
        finally:
            temporary.unlink(missing_ok=True)
            self._remove_empty()
        sync(self._folder)

    def remove(self) -> None:
        """Remove the checkpoint, and the folders that are empty without it."""
        with contextlib.suppress(OSError):
            self._sweep()
            self.file.unlink(missing_ok=True)
        self._remove_empty()

    def _remove_empty(self) -> None:
        with contextlib.suppress(OSError):  # a checkpoint is there
            self._folder.rmdir()
            self._folder.parent.rmdir()

    def _sweep(self) -> None:
        for left in self._folder.glob(f"{self._temporary}*"):
            left.unlink(missing_ok=True)

    def _difference(self, other: Mapping[str, Any]) -> str:
        names = [n for n in self._order if self._order[n] != other.get(n)]
        if not names:
            return (
                "the data set, a file or a package has changed since the checkpoint;"
                " restore it, or train without --resume"
            )
        said = " and ".join(
            f"{name} {_said(other.get(name))}, not {_said(self._order[name])}"
            for name in names
        )
        return (
            f"the checkpoint there is of an order with {said}; give the same, or train"
            " without --resume"
        )


def _said(value: Any) -> str:
    return "not given" if value in (None, 0, [], False) else str(value)


def _digest(order: Mapping[str, Any], data: Samples, files: tuple[Path, ...]) -> str:
    """Compute the sha256 of all that decides the weights and the measures."""
    found = hashlib.sha256()
    versions = {name: _version(name) for name in _PACKAGES}
    text = json.dumps([SCHEMA, __version__, versions, order, data.labels])
    found.update(text.encode())
    for file in files:
        found.update(file.read_bytes())
    for part in (data.x_train, data.x_test):
        for column in part.values() if isinstance(part, Mapping) else (part,):
            _add(found, column)
    for answers in (data.y_train, data.y_test, data.w_train, data.w_test):
        if answers is not None:
            _add(found, answers)
    return found.hexdigest()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _add(found: Any, rows: Any) -> None:
    found.update(repr((rows.shape, str(rows.dtype))).encode())
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        # The bytes of texts are addresses, so their letters are taken.
        found.update(
            repr(part.tolist()).encode() if part.dtype == object else part.tobytes()
        )
