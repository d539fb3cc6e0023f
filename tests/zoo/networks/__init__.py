"""Models as people build them: one file a kind, a function a model."""

from __future__ import annotations

from tests.zoo.networks import (
    control_flow,
    generative,
    images,
    linear_algebra,
    mixers,
    precision,
    quantized,
    ragged,
    recurrent,
    selections,
    shapes,
    tabular,
    text,
    transformers,
    vision,
)
from tests.zoo.networks.built import NETWORKS
from tests.zoo.specimen import Specimen

__all__ = [
    "control_flow",
    "generative",
    "images",
    "linear_algebra",
    "mixers",
    "precision",
    "quantized",
    "ragged",
    "recurrent",
    "selections",
    "shapes",
    "specimens",
    "tabular",
    "text",
    "transformers",
    "vision",
]


def specimens() -> list[Specimen]:
    """All networks."""
    return list(NETWORKS)
