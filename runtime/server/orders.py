"""The parent's orders to a worker about new settings, and the worker's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from runtime.access.pair import Pair
from runtime.config import Config
from runtime.telemetry.reading import Reading


class Word(NamedTuple):
    """A worker's word to its parent; it is far shorter than PIPE_BUF, so none mix.

    Attributes:
        pid: the worker's process.
        order: the number of the order that it did, or cannot do; 0 is its start.
        refusal: why it cannot do it; empty if it did.
    """

    pid: int
    order: int
    refusal: str


@dataclass(frozen=True)
class Prepare:
    """Make ready what follows new settings, and go on with the old ones.

    Attributes:
        number: the number of the order.
        config: the new settings.
        pair: the new pair of key and certificate; None without TLS.
    """

    number: int
    config: Config
    pair: Pair | None


@dataclass(frozen=True)
class Take:
    """Take the settings that were prepared last.

    Attributes:
        number: the number of the order.
        reading: the words about them.
    """

    number: int
    reading: Reading


@dataclass(frozen=True)
class Leave:
    """Forget what was prepared, and go on; there is no answer.

    Attributes:
        reading: the words about the settings.
    """

    reading: Reading


Order = Prepare | Take | Leave
