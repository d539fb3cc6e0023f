"""The router: which version answers a request that does not say which."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping

from bundle.errors import DomainError, ModelNotFound
from runtime.model import Model
from runtime.registry import ModelRegistry
from runtime.spec import ModelSpec

logger = logging.getLogger(__name__)


class Router:
    """Gives labels their share of the requests, by config.json's ``traffic``.

    A label that a model lacks takes nothing, and one whose version cannot be loaded, or
    is still being loaded for another request, leaves the request to the default.

    Args:
        registry: gives the models.
        traffic: percent by label, 100 at most in all.
        dice: 0 to below 1, evenly.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        traffic: Mapping[str, float],
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._registry = registry
        self._traffic = traffic
        self._dice = dice
        # What was said of a label that cannot answer, so as not to say it each time.
        self._said: dict[tuple[str, str], str] = {}

    def get(self, spec: ModelSpec) -> Model:
        """The model that answers; see ``ModelRegistry.get``."""
        label = None if spec.is_pinned else self._drawn()
        if label is None:
            return self._registry.get(spec)
        try:
            model = self._registry.get(ModelSpec(spec.name, label=label), instead=spec)
        except ModelNotFound:
            return self._registry.get(spec)
        except DomainError as ex:
            if self._said.get((spec.name, label)) != str(ex):
                self._said[spec.name, label] = str(ex)
                logger.warning("%s label %s gets no requests: %s", spec.name, label, ex)
            return self._registry.get(spec)
        self._said.pop((spec.name, label), None)
        return model

    def _drawn(self) -> str | None:
        if not self._traffic:
            return None
        left = self._dice() * 100
        for label, share in self._traffic.items():
            if left < share:
                return label
            left -= share
        return None
