"""What TensorFlow 1 wrote: frozen graphs and SavedModels; one file a kind."""

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
    """All graphs."""
    return [*models.specimens(), *GRAPHS]
