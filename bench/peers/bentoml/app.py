"""BentoML: a service of two endpoints, with its own image and array types."""

import os
from pathlib import Path

import bentoml
import numpy as np
from classifier import Classifier


@bentoml.service(
    workers=int(os.environ["BENCH_CORES"]), logging={"access": {"enabled": False}}
)
class Classify:
    """One model in each worker."""

    def __init__(self):
        self._classifier = Classifier()

    @bentoml.api
    def image(self, image: Path) -> list[float]:
        """Scores of an image file."""
        return self._classifier.predict(
            self._classifier.decode(image.read_bytes())
        ).tolist()[0]

    @bentoml.api
    def pixels(self, pixels: np.ndarray) -> list[list[float]]:
        """Scores of ``(N, H, W, C)``."""
        return self._classifier.predict(pixels).tolist()
