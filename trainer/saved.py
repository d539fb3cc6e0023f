"""The state of a training in a file: all that its next epoch or trial depends on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import CheckpointError
from trainer.learner import Best, Learner
from trainer.settings import Settings
from trainer.trials import Trial

# Another version of the file's content would be read wrong.
SCHEMA = 1
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


def read_saved(file: Path) -> Saved:
    """Read the state.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is damaged.
    """
    try:
        arrays = _read(file)
        meta = json.loads(arrays.pop("meta").tobytes())
        return Saved(
            settings=Settings(**meta["settings"]),
            trials=tuple(Trial(**trial) for trial in meta["trials"]),
            epoch=int(meta["epoch"]),
            meta=meta,
            arrays=arrays,
        )
    except FileNotFoundError:
        raise
    except _DAMAGE as ex:
        raise CheckpointError(
            f"the checkpoint {file} is damaged; remove it, and train without --resume"
        ) from ex


def read_order(file: Path) -> Mapping[str, Any]:
    """Read the order of a state; it is empty if the file is damaged."""
    try:
        order = json.loads(_read(file)["meta"].tobytes())["order"]
    except _DAMAGE:
        return {}
    return order if isinstance(order, dict) else {}


def write_saved(
    stream: IO[bytes],
    order: Mapping[str, Any],
    learner: Learner | None,
    settings: Settings,
    trials: Sequence[Trial],
) -> None:
    """Write the state.

    Args:
        stream: the file.
        order: the options that decide the weights.
        learner: the model in training; None if only trials are done.
        settings: see ``Saved``, as for ``trials``.
        trials: the trials.

    Raises:
        OSError: the disk refuses it.
    """
    state, arrays = _state_of(learner) if learner else ({"epoch": 0}, {})
    meta = {
        "schema": SCHEMA,
        "order": dict(order),
        "settings": asdict(settings),
        "trials": [asdict(trial) for trial in trials],
        **state,
    }
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(stream, meta=text, **arrays)


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


def _read(file: Path) -> dict[str, NDArray[Any]]:
    # numpy leaves a file open that it opened itself and cannot read.
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


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
        f"variable_{number}": variable.numpy()
        for number, variable in enumerate(learner.variables)
    }
    for number, weights in enumerate(best.weights if best else ()):
        arrays[f"best_{number}"] = weights
    return meta, arrays
