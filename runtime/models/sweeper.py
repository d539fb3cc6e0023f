"""The sweeper: it frees the memory of models that another process took away."""

from __future__ import annotations

import threading

from runtime.models.registry import ModelRegistry
from runtime.process.daemon_thread import DaemonThread

# A look takes some 50 us for each model in memory.
SECONDS = 2.0


class Sweeper:
    """Looks now and then which models in memory are still served.

    A request sees at once that its model was unloaded or deleted. A process that gets
    no more requests for the model would keep it in memory for ever.

    Args:
        registry: the registry, which drops the models.
        seconds: the time between two looks.
    """

    def __init__(self, registry: ModelRegistry, seconds: float = SECONDS) -> None:
        self._registry = registry
        self._seconds = seconds
        self._thread = DaemonThread(self._sweep_for_ever, "sweeper")

    def start(self) -> None:
        """Begin to look; return at once."""
        self._thread.start()

    def _sweep_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._seconds):
            self._registry.loaded()
