"""The order of ``trainer run``: all that the user asked for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundle.objects.address import Place
from trainer.fleet import Fleet
from trainer.recipes import Choices
from trainer.samples import Task
from trainer.settings import Settings
from trainer.tables.wishes import Wishes


@dataclass(frozen=True)
class Order:
    """The arguments of ``trainer run``.

    Attributes:
        fin: the data set; None is the embedded MNIST.
        fout: a flat bundle's folder; None is the store's next version.
        name: the model's name.
        choices: the options that a recipe completes.
        size: ``(height, width)`` that images are brought to; None is chosen by them.
        label: the column of a table that is learned.
        weight: the column of a table with the weights of its rows.
        features: the columns of a table that it is learned from; empty takes all.
        categorical: the columns of a table whose numbers name categories.
        task: the kind of a table's label; None takes what it looks like.
        also: more data to train on, such as the feedback of users.
        memory: the most bytes of a data set that is held in memory; None is chosen by
            the machine.
        tune: the number of trials of a search for better settings; 0 searches none.
        resume: go on from a checkpoint.
        dry_run: check everything and write nothing.
        tensorboard: write TensorBoard's event files into this folder.
        h5: also write the model as this HDF5 file.
        models_dir: the store; None is the store that config.json names.
        fleet: the workers of Ray that train; None trains in this process.
        report: write a report of the training.
        fit: let the service bring pictures to MNIST's form, if the images have it.
        onnx: convert to ONNX if the exporter is installed.
        progress_bar: show a bar, which needs a terminal.
        verbose: show TensorFlow's messages.
    """

    fin: Path | None
    fout: Path | None
    name: str
    choices: Choices
    size: tuple[int, int] | None = None
    label: str | None = None
    weight: str | None = None
    features: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    task: Task | None = None
    also: tuple[Path, ...] = ()
    memory: int | None = None
    tune: int = 0
    resume: bool = False
    dry_run: bool = False
    tensorboard: Path | None = None
    h5: str | None = None
    models_dir: Place | None = None
    fleet: Fleet | None = None
    report: bool = True
    fit: bool = True
    onnx: bool = True
    progress_bar: bool = False
    verbose: bool = False

    @property
    def wishes(self) -> Wishes:
        """The options that a table's reader needs."""
        return Wishes(
            self.label, self.weight, self.features, self.categorical, self.task
        )

    @property
    def reference(self) -> str:
        """The arguments that name the bundle on the exporter's command line."""
        if self.fout is not None:
            return str(self.fout)
        if self.models_dir is not None:
            return f"{self.name} --models-dir {self.models_dir}"
        return self.name

    @property
    def _of_data(self) -> list[tuple[str, str | None]]:
        """The options that tell how the data set is read, by their names."""
        return [
            ("--size", self.size and "x".join(map(str, self.size))),
            ("--label", self.label),
            ("--weight", self.weight),
            ("--features", ",".join(self.features) or None),
            ("--categorical", ",".join(self.categorical) or None),
            ("--task", self.task),
        ]

    @property
    def deciding(self) -> dict[str, Any]:
        """The options that decide the weights, by their names, besides the data set."""
        given = self.choices
        return {
            "--also": ", ".join(path.name for path in self.also) or None,
            **dict(self._of_data),
            "--recipe": given.recipe,
            "--arch": given.arch,
            "--from": given.start,
            "--tune": self.tune,
            "--epochs": given.epochs,
            "--batch-size": given.batch_size,
            "--seed": given.seed,
            "--precision": given.precision,
            "--patience": given.patience,
            "--ray-workers": self.fleet and self.fleet.workers,
        }

    def command(self, settings: Settings) -> str:
        """Return the command that trains the model again, in the folder of the data.

        It names no folders, because a report is shown to people who have others.

        Args:
            settings: the settings of the training.
        """
        given = self.choices
        # Without the option, the recipe may choose otherwise on another machine.
        precision = settings.precision if given.recipe == "best" else given.precision
        options = [
            *([("--fin", self.fin.name)] if self.fin else []),
            *(("--also", path.name) for path in self.also),
            *self._of_data,
            ("--model", self.name),
            ("--from", settings.start_name),
            ("--arch", given.arch and settings.network_name),
            ("--recipe", given.recipe if given.recipe != "quick" else None),
            ("--tune", self.tune or None),
            ("--epochs", settings.epochs),
            ("--batch-size", settings.batch_size),
            ("--seed", settings.seed),
            ("--precision", precision),
            ("--patience", settings.patience),
            ("--ray-workers", self.fleet and self.fleet.workers),
        ]
        words = [str(word) for o in options if o[1] is not None for word in o]
        return shlex.join(["trainer", "run", *words])
