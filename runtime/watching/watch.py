"""The watch over all models in memory: each has its drift and its live parity."""

from __future__ import annotations

import functools
import math
import random
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bundle.version import Version, mark_of
from runtime.config import Config, Drift, ParityFailure
from runtime.descriptions import Watching
from runtime.models.model import Model
from runtime.models.watched import Arrays
from runtime.process.soon import Soon
from runtime.telemetry import metrics
from runtime.watching.drift import DriftOfModel
from runtime.watching.exchange import Exchange
from runtime.watching.live_parity import LiveParity
from runtime.watching.parity_of_model import ParityOfModel
from runtime.watching.reference import FIGURES
from runtime.watching.references import OpenReference

# Requests are counted so many seconds after the first of them.
SECONDS = 1.0
# The counts of a version that left memory stay, if it comes back; there are so many.
_MOST_VERSIONS = 1000


class _Settings(NamedTuple):
    drift: Drift
    seconds: int
    items: int
    share: float
    on_failure: ParityFailure


def _settings_of(config: Config) -> _Settings:
    return _Settings(
        config.drift,
        config.drift_seconds,
        config.drift_items,
        config.parity_share,
        config.on_parity_failure,
    )


@dataclass(frozen=True)
class _State:
    """One version.

    Attributes:
        version: the version.
        key: its name, number and time, by which processes know that they have the same.
        drift: its drift; None if it is not looked at.
        parity: its live parity.
    """

    version: Version
    key: str
    drift: DriftOfModel | None
    parity: ParityOfModel


class _Watched:
    """Takes the requests of one model; see ``Watched``."""

    def __init__(
        self, model: Model, state: _State, parity: LiveParity, soon: Soon
    ) -> None:
        # The model refers to this object, and must be freed without Python's search for
        # cycles.
        self._model = weakref.ref(model)
        self._state = state
        self._drift = state.drift if state.drift and state.drift.room else None
        self._share = parity.share / 100 if state.parity.is_on else 0.0
        self._parity = parity
        self._soon = soon

    def note(self, inputs: Arrays, outputs: Arrays) -> None:
        if self._drift is not None:
            self._drift.note(inputs, outputs)
        if self._share and random.random() < self._share:
            model = self._model()
            if model is not None and self._state.parity.is_on:
                self._parity.offer(self._state.parity, model, inputs, outputs)
        if not self._soon.is_due:
            self._soon.want()


class Watch:
    """Counts what models get and answer, and compares it; see the docs, observing.md.

    Args:
        config: the settings.
        open_reference: opens a bundle in TensorFlow, for answers that nobody waits for.
        seconds: requests are counted so many seconds after the first of them.
    """

    def __init__(
        self, config: Config, open_reference: OpenReference, seconds: float = SECONDS
    ) -> None:
        self._settings = _settings_of(config)
        self._parity = LiveParity(
            open_reference, config.parity_share, config.on_parity_failure
        )
        self._exchange = Exchange(config.drift_seconds)
        self._soon = Soon(self.add_up, seconds, "watching")
        self._lock = threading.Lock()  # guards the two below
        self._states: OrderedDict[tuple[str, int], _State] = OrderedDict()
        self._models: weakref.WeakValueDictionary[tuple[str, int], Model] = (
            weakref.WeakValueDictionary()
        )

    def renew(self, config: Config) -> None:
        """Watch by other settings from now on; what changed is counted from 0 on."""
        settings = _settings_of(config)
        if settings == self._settings:
            return
        with self._lock:
            self._settings = settings
            self._parity.share = config.parity_share
            self._parity.on_failure = config.on_parity_failure
            self._exchange.seconds = config.drift_seconds
            versions = {place: state.version for place, state in self._states.items()}
            models = dict(self._models)
        for place, model in models.items():
            self.begin(model, versions[place])

    def opening(self, open_model: Callable[[Version], Model]) -> Callable[..., Model]:
        """Return a function that opens a version, and begins to watch it."""

        @functools.wraps(open_model)
        def open_watched(version: Version) -> Model:
            model = open_model(version)
            self.begin(model, version)
            return model

        return open_watched

    def begin(self, model: Model, version: Version) -> None:
        """Watch a model that has just been loaded."""
        try:
            mark = mark_of(version.path).stat().st_mtime_ns
        except OSError:  # it was deleted meanwhile
            return
        place = (version.name, version.number)
        key = f"{version.name}/{version.number}/{mark}"
        with self._lock:
            before = self._states.get(place)
        drift = before.drift if before and before.key == key else None
        settings = self._settings
        if settings.drift == "off":
            drift = None
        elif drift is None or drift.window != (settings.seconds, settings.items):
            drift = DriftOfModel(model, settings.seconds, settings.items)
        state = _State(version, key, drift, self._parity.begin(model))
        if (drift and drift.room) or state.parity.is_on:
            model.watched = _Watched(model, state, self._parity, self._soon)
        else:
            model.watched = None
        with self._lock:
            self._states[place] = state
            self._states.move_to_end(place)
            self._models[place] = model
            if len(self._states) > _MOST_VERSIONS:
                self._states.popitem(last=False)

    def describe(self, name: str, number: int) -> Watching | None:
        """Describe a version's state in all processes; None if it was never loaded."""
        with self._lock:
            state = self._states.get((name, number))
        if state is None:
            return None
        if state.drift:
            state.drift.add_up()
        others = self._exchange.others(state.key)
        windows = [other["drift"] for other in others if other["drift"] is not None]
        return {
            "parity": state.parity.describe([other["parity"] for other in others]),
            "drift": state.drift.describe(windows) if state.drift else None,
        }

    def show(self) -> None:
        """Set the metrics of the drift, just before they are read.

        The process that is asked sets them from the counts of all, so that the last
        value is that of the service.
        """
        with self._lock:
            places = [*self._states]
        for name, number in places:
            told = self.describe(name, number)
            if told is None or told["drift"] is None:
                continue
            drift = told["drift"]
            if drift["state"] == "not comparable":
                continue
            metrics.DRIFT_ITEMS.labels(name, number).set(drift["items"])
            for figure in FIGURES:
                # A gauge cannot be taken back where several processes share it.
                index = drift["psi"].get(figure)
                metrics.DRIFT.labels(name, number, figure).set(
                    math.nan if index is None else index
                )

    def add_up(self) -> None:
        """Count what was noted, and exchange the counts with other processes."""
        with self._lock:
            states = dict(self._states)
            models = dict(self._models)
        for state in states.values():
            if state.drift:
                state.drift.add_up()
        if not self._exchange.is_shared:
            return
        self._exchange.show(
            {
                state.key: {
                    "drift": state.drift.to_json() if state.drift else None,
                    "parity": state.parity.to_json(),
                }
                for state in states.values()
            }
        )
        for place, model in models.items():
            its = states.get(place)
            if its and its.parity.is_on:
                others = self._exchange.others(its.key)
                its.parity.follow(
                    model, [other["parity"]["failed_at"] for other in others]
                )
