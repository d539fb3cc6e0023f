"""The readings of the settings, as metrics and for ``GET /status``.

The settings are read at the start, and again after each SIGHUP.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """The last reading that succeeded, and what came after it.

    Attributes:
        read: its time, in unix seconds.
        restart: the keys of config.json whose new value needs a restart.
        refused: the time of a later reading that was refused, in unix seconds; None if
            there was none.
    """

    read: float
    restart: tuple[str, ...] = ()
    refused: float | None = None


# The reading of this process; other servers than `runtime serve` read only once.
last = Reading(time.time())


def tell(reading: Reading, *, is_counted: bool = False) -> None:
    """Let this process tell of a reading.

    Args:
        reading: the reading.
        is_counted: whether this process counts it; one process of a service does so.
    """
    # The parent of the workers imports this module, and has no metrics.
    from runtime.telemetry import metrics

    global last
    last = reading
    metrics.CONFIG_READ.set(reading.read)
    metrics.CONFIG_OK.set(reading.refused is None)
    if is_counted:
        result = "ok" if reading.refused is None else "refused"
        metrics.CONFIG_RELOADS.labels(result).inc()
