"""People build models like these: each file has one kind, each function one model."""

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
    """Return all networks."""
    return list(NETWORKS)
