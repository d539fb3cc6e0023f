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
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle import __version__
from bundle.staging import sync
from trainer.errors import CheckpointError
from trainer.learner import Best, Learner
from trainer.samples import Samples
from trainer.settings import Settings
from trainer.trials import Trial

FOLDER_NAME = ".training"
# Another version of the file's content would be read wrong.
_SCHEMA = 1
# So many images are read at a time for the digest.
_ROWS = 1024
# Other versions of these may compute other bits. One of TensorFlow's two is there.
_PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-cpu")
# The letters of a digest in a file's name; two orders never share so many.
_LETTERS = 16
# The errors of a file that is cut, or is none of the trainer.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Saved:
    """A checkpoint.

    Attributes:
        settings: the settings of the training; those of the recipe until all trials are
            done.
        trials: the trials that are done.
        epoch: the number of epochs that are done.
        meta: the rest of the learner's state, such as its history.
        arrays: the arrays of the learner by their names in the file; none if trials
            alone are done.
    """

    settings: Settings
    trials: tuple[Trial, ...]
    epoch: int
    meta: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def point(self) -> str:
        """The point that the training has reached, for a sentence."""
        return f"epoch {self.epoch}" if self.epoch else f"trial {len(self.trials)}"


class Checkpoints:
    """The checkpoint of one order.

    Args:
        place: the folder in which the bundle will be published.
        name: the name that the bundle will have there.
        order: the options that decide the weights, by their names on the command line.
        data: the data set.
        files: other files that decide the weights.
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
        self._file = self._folder / f"{digest[:_LETTERS]}.npz"
        # A kill in the middle of a write leaves a file of such a name.
        self._temporary = f".{digest[:_LETTERS]}."

    def find(self) -> Saved | None:
        """Read the checkpoint of the same order and data; None if there is none.

        Raises:
            CheckpointError: the file is damaged.
        """
        try:
            arrays = _read(self._file)
            meta = json.loads(arrays.pop("meta").tobytes())
            return Saved(
                settings=Settings(**meta["settings"]),
                trials=tuple(Trial(**trial) for trial in meta["trials"]),
                epoch=int(meta["epoch"]),
                meta=meta,
                arrays=arrays,
            )
        except FileNotFoundError:
            return None
        except _DAMAGE as ex:
            raise CheckpointError(
                f"the checkpoint {self._file} is damaged; remove it, and train without"
                " --resume"
            ) from ex

    def need(self) -> Saved:
        """Read the checkpoint.

        Raises:
            CheckpointError: there is none of this order; the sentence tells the
                difference to another one that is there.
        """
        if saved := self.find():
            return saved
        for other in sorted(self._folder.glob("*.npz")):
            raise CheckpointError(self._difference(_order_of(other)))
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
        state, arrays = _state_of(learner) if learner else ({"epoch": 0}, {})
        meta = {
            "schema": _SCHEMA,
            "order": self._order,
            "settings": asdict(settings),
            "trials": [asdict(trial) for trial in trials],
            **state,
        }
        text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        temporary = self._folder / f"{self._temporary}{uuid.uuid4().hex}"
        try:
            with temporary.open("xb") as stream:
                np.savez(stream, meta=text, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self._file)
        finally:
            temporary.unlink(missing_ok=True)
            self._remove_empty()
        sync(self._folder)

    def remove(self) -> None:
        """Remove the checkpoint, and the folders that are empty without it."""
        with contextlib.suppress(OSError):
            self._sweep()
            self._file.unlink(missing_ok=True)
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


def _state_of(learner: Learner) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the learner's state: the values of its meta data, and its arrays."""
    best = learner.best
    meta = {
        "epoch": learner.epoch,
        "history": learner.history,
        "seconds": learner.seconds,
        "ended": learner.ended,
        "best": best and {"loss": best.loss, "epoch": best.epoch},
    }
    arrays: dict[str, Any] = {
        f"variable_{number}": np.asarray(variable)
        for number, variable in enumerate(learner.variables)
    }
    for number, weights in enumerate(best.weights if best else ()):
        arrays[f"best_{number}"] = weights
    return meta, arrays


def restore(learner: Learner, saved: Saved) -> None:
    """Bring a learner to the state of a checkpoint.

    Raises:
        CheckpointError: the checkpoint is of another network.
    """
    variables = learner.variables
    names = [f"variable_{number}" for number in range(len(variables))]
    fits = all(
        name in saved.arrays and saved.arrays[name].shape == tuple(variable.shape)
        for name, variable in zip(names, variables, strict=True)
    )
    if not fits:
        raise CheckpointError(
            "the checkpoint is of another network; train without --resume"
        )
    for name, variable in zip(names, variables, strict=True):
        variable.assign(saved.arrays[name])
    meta = saved.meta
    learner.epoch = saved.epoch
    learner.history = {name: list(values) for name, values in meta["history"].items()}
    learner.seconds = meta["seconds"]
    learner.ended = meta["ended"]
    if found := meta["best"]:
        count = sum(name.startswith("best_") for name in saved.arrays)
        weights = [saved.arrays[f"best_{number}"] for number in range(count)]
        learner.best = Best(found["loss"], found["epoch"], weights)


def _order_of(file: Path) -> Mapping[str, Any]:
    try:
        order = json.loads(_read(file)["meta"].tobytes())["order"]
    except _DAMAGE:
        return {}
    return order if isinstance(order, dict) else {}


def _read(file: Path) -> dict[str, NDArray[Any]]:
    # numpy leaves a file open that it opened itself and cannot read.
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _said(value: Any) -> str:
    return "not given" if value in (None, 0, [], False) else str(value)


def _digest(order: Mapping[str, Any], data: Samples, files: tuple[Path, ...]) -> str:
    """Compute the sha256 of all that decides the weights and the measures."""
    found = hashlib.sha256()
    versions = {name: _version(name) for name in _PACKAGES}
    text = json.dumps([_SCHEMA, __version__, versions, order, data.labels])
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
