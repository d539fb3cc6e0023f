"""Bundles whose report has the distributions of a test set."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tests.examples import WEIGHTS, write_bundle
from trainer.report.reference import confidence_distribution, input_distributions


def images(seed: int, size: int = 1000) -> np.ndarray:
    """Return ``(size, 2, 2, 1)`` uint8 of any brightness, and some clipped pixels."""
    random = np.random.default_rng(seed)
    bright = random.integers(0, 200, (size, 1, 1, 1))
    return (
        (bright + random.integers(-80, 80, (size, 2, 2, 1))).clip(0, 255).astype("u1")
    )


def scores(pixels: np.ndarray) -> np.ndarray:
    """Return the answers ``(N, 3)`` of the linear model."""
    return pixels.reshape(len(pixels), 4).astype(np.float32) @ WEIGHTS


def reference_of(pixels: np.ndarray) -> dict:
    """Return the key ``reference`` as the trainer makes it."""
    answers = scores(pixels)
    best = answers.max(axis=1).astype(np.float64).clip(0, 1)
    return {
        "predicted": np.bincount(answers.argmax(axis=1), minlength=3).tolist(),
        "confidence": asdict(confidence_distribution(best)),
        "input": {
            name: asdict(found) for name, found in input_distributions(pixels).items()
        },
    }


def write_metrics(folder: Path, reference: object, schema_version: int = 1) -> None:
    """Write report/metrics.json into a bundle."""
    (folder / "report").mkdir(exist_ok=True)
    content = {"schema_version": schema_version, "reference": reference}
    (folder / "report/metrics.json").write_text(json.dumps(content))


def write_watched(folder: Path, **bundle: object) -> Path:
    """Write a bundle whose test set were ``images(0)``."""
    write_bundle(folder, **bundle)
    write_metrics(folder, reference_of(images(0)))
    return folder
