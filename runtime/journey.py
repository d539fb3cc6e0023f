"""What one request went through: for its log line, its metrics and its spans."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

# queue: waiting for the model to be in memory. decode: bytes to arrays, preprocessing
# included. infer: the engine. encode: arrays to the reply's bytes.
Stage = Literal["queue", "decode", "infer", "encode"]


@dataclass
class Journey:
    """One request's way; each room writes down what it knows.

    Attributes:
        request_id: the client's ``X-Request-Id``, or one made here.
        model: its name, once the store was seen to have it: a name that a client made
            up must never become a metric's label.
        version: that answered.
        backend: ``engine/device`` that answered.
        items: rows or images in the request.
        seconds: by stage; a stage entered twice counts twice.
    """

    request_id: str = ""
    model: str = ""
    version: int | None = None
    backend: str = ""
    items: int = 0
    seconds: dict[Stage, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Measure a block as one stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
