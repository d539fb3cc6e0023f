"""The router: it chooses a version for a request that names none."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping

from bundle.errors import DomainError, ModelNotFound
from bundle.spec import ModelSpec
from runtime.models.model import Model
from runtime.models.registry import ModelRegistry
from runtime.telemetry.once import Once

logger = logging.getLogger(__name__)


class Deck:
    """Draws numbers, 0 to below 1, that are evenly spread over every 100 draws.

    There is a card for each percent, and all are dealt before they are shuffled again.
    So a label of 20 % gets 20 of 100 requests, where dice would sometimes give it 12 or
    28, and no client can tell which requests come next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the cards
        self._cards: list[int] = []

    def __call__(self) -> float:
        """Draw a number; within a card it is even too, for shares such as 0.5 %."""
        with self._lock:
            if not self._cards:
                self._cards = random.sample(range(100), 100)
            card = self._cards.pop()
        return (card + random.random()) / 100


class Router:
    """Gives labels their share of the requests, by config.json's ``traffic``.

    A label that a model lacks gets no requests. The default answers instead of a label
    whose version cannot be loaded, or that another request has been loading for longer
    than the registry waits.

    Args:
        registry: the registry, which gives the models.
        traffic: percent by label, together at most 100.
        dice: a function that returns evenly spread numbers from 0 to below 1. A request
            draws once. None takes a ``Deck``.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        traffic: Mapping[str, float],
        dice: Callable[[], float] | None = None,
    ) -> None:
        self._registry = registry
        self._traffic = traffic
        self._dice = dice or Deck()
        self._once = Once()  # warns once of a model's label that cannot answer

    def get(self, spec: ModelSpec) -> Model:
        """Return the model that answers; see ``ModelRegistry.get``."""
        label = None if spec.is_pinned else self._drawn()
        if label is None:
            return self._registry.get(spec)
        try:
            model = self._registry.get(ModelSpec(spec.name, label=label), instead=spec)
        except ModelNotFound:
            return self._registry.get(spec)
        except DomainError as ex:
            if self._once.is_news(str(ex), (spec.name, label)):
                logger.warning("%s label %s gets no requests: %s", spec.name, label, ex)
            return self._registry.get(spec)
        self._once.forget((spec.name, label))
        return model

    def _drawn(self) -> str | None:
        left = self._dice() * 100
        for label, share in self._traffic.items():
            if left < share:
                return label
            left -= share
        return None
