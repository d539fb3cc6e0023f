"""TensorFlow 1 wrote such frozen graphs and SavedModels; each file has one kind."""

from __future__ import annotations

from tests.zoo.graphs import convolutions, loops, models, operators, saved_models
from tests.zoo.graphs.written import GRAPHS
from tests.zoo.specimen import Specimen

__all__ = [
    "convolutions",
    "loops",
    "models",
    "operators",
    "saved_models",
    "specimens",
]


def specimens() -> list[Specimen]:
    """Return all graphs."""
    return [*models.specimens(), *GRAPHS]
