"""The search of ``--tune``: Optuna proposes settings, and short trainings try them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from trainer.augmentation import AUGMENTATIONS
from trainer.errors import SearchMissing
from trainer.networks.own import is_own
from trainer.networks.start import Start
from trainer.samples import Samples
from trainer.settings import Settings
from trainer.trials import Trial, print_trial, run_trial, trial_split

# A tenth and ten times the recipe's own rate.
_RATES = (0.1, 10.0)
_WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
_STRENGTHS = (0.5, 1.5)


def check_search() -> None:
    """Check, without an import, that Optuna is installed.

    Raises:
        SearchMissing: it is not.
    """
    if find_spec("optuna") is None:
        raise SearchMissing(
            "--tune needs Optuna, which is not installed; install the extra 'tune'"
            " (docs/installing.md), or leave --tune out"
        )


def search(
    data: Samples,
    settings: Settings,
    count: int,
    start: Start | None,
    check_stop: Callable[[], None],
    done: Sequence[Trial] = (),
    note: Callable[[Sequence[Trial]], None] = lambda trials: None,
) -> list[Trial]:
    """Try settings, each chosen by what the earlier ones gave.

    The first trials are the recipe's own settings, so that the search never ends with
    worse ones. If the recipe leaves the augmentation to trials, each is among them.

    Args:
        data: the data set, of which only the training part is used.
        settings: the settings of the recipe.
        count: the number of trials.
        start: see ``build_network``.
        check_stop: see ``train``.
        done: the first trials, which were done before a kill.
        note: is called with all trials so far after each new one.

    Returns:
        The trials; the best one is to be taken.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=settings.seed)
    study = optuna.create_study(sampler=sampler)
    own = settings.augmentation
    for augmentation in AUGMENTATIONS if own is None else (own,):
        study.enqueue_trial(_first(data, settings, start, augmentation))
    split = trial_split(data, settings.seed)
    trials = list(done)
    for number in range(count):
        # The same answers as before let Optuna propose the same settings as before.
        proposal = study.ask()
        tried = _settings(proposal, data, settings, start)
        if number == len(trials):
            trials.append(run_trial(data, tried, split, start, check_stop))
            print_trial(data, number + 1, count, trials[-1])
            note(trials)
        study.tell(proposal, trials[number].loss)
    return trials


def _has_width(settings: Settings, start: Start | None) -> bool:
    """Tell whether the network can be made wider: not a bundle's, or the user's."""
    return start is None and not is_own(settings.network)


def _first(
    data: Samples, settings: Settings, start: Start | None, augmentation: str
) -> dict[str, float | str]:
    first: dict[str, float | str] = {"learning_rate": settings.learning_rate}
    if _has_width(settings, start):
        first["width"] = 1.0
    if not isinstance(data.x_train, Mapping):
        first["augmentation"] = augmentation
        first["strength"] = settings.strength
    return first


def _settings(
    proposal: Any, data: Samples, settings: Settings, start: Start | None
) -> Settings:
    low, high = (settings.learning_rate * factor for factor in _RATES)
    rate = proposal.suggest_float("learning_rate", low, high, log=True)
    tried = replace(settings, learning_rate=rate, augmentation="none")
    if _has_width(settings, start):
        tried = replace(tried, width=proposal.suggest_categorical("width", _WIDTHS))
    if isinstance(data.x_train, Mapping):
        return tried
    tried = replace(
        tried, augmentation=proposal.suggest_categorical("augmentation", AUGMENTATIONS)
    )
    if tried.augmentation == "none":
        return tried
    return replace(tried, strength=proposal.suggest_float("strength", *_STRENGTHS))
