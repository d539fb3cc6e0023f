"""The part of a report about the recipe: its choices, and the trials behind them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from trainer.train import Training
from trainer.trials import Trial, best_of


def recipe_metrics(training: Training) -> dict[str, Any]:
    """Make the keys of metrics.json that tell how the network was trained."""
    settings = training.settings
    return {
        "recipe": settings.recipe,
        "learning_rate": settings.learning_rate,
        "width": settings.width,
        "augmentation": settings.augmentation,
        "strength": settings.strength,
        "precision": settings.precision,
        "patience": settings.patience,
        "workers": settings.workers,
        # The end of a path tells enough, and no folder of this machine.
        "started_from": settings.start_name,
        "trials": [_of_trial(trial, training.trials) for trial in training.trials],
    }


def _of_trial(trial: Trial, trials: tuple[Trial, ...]) -> dict[str, Any]:
    return {
        "learning_rate": trial.learning_rate,
        "width": trial.width,
        "augmentation": trial.augmentation,
        "strength": trial.strength,
        "val_loss": trial.loss,
        "val_metric": trial.metric,
        "seconds": trial.seconds,
        "chosen": trial is best_of(trials),
    }


def recipe_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Make the rows of a table of what was chosen: a name and a value, as HTML."""
    facts = [
        ("recipe", metrics["recipe"]),
        ("learning rate", f"{metrics['learning_rate']:.3g}"),
        ("width", f"{metrics['width']:g}"),
        ("augmentation", _augmentation(metrics)),
        ("precision", metrics["precision"]),
        ("patience", metrics["patience"] and f"{metrics['patience']} epochs"),
        ("workers", metrics["workers"] if metrics["workers"] > 1 else None),
        ("started from", metrics["started_from"]),
    ]
    return [[name, escape(str(value))] for name, value in facts if value is not None]


def _augmentation(metrics: Mapping[str, Any]) -> str:
    name = metrics["augmentation"]
    return str(name) if name == "none" else f"{name} x {metrics['strength']:.3g}"


TRIAL_HEADINGS = ["trial", "rate", "width", "augmentation", "validation loss", ""]


def trial_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Make the rows of a table of the trials, as HTML."""
    return [
        [
            str(number),
            f"{trial['learning_rate']:.3g}",
            f"{trial['width']:g}",
            escape(_augmentation(trial)),
            "not a number" if trial["val_loss"] is None else f"{trial['val_loss']:.4f}",
            "chosen" if trial["chosen"] else "",
        ]
        for number, trial in enumerate(metrics["trials"], 1)
    ]
