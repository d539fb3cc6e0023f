"""A service of BentoML with two endpoints, for an image file and for an array."""

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
        """Answer the scores of an image file, ``(classes,)``."""
        return self._classifier.predict(
            self._classifier.decode(image.read_bytes())
        ).tolist()[0]

    @bentoml.api
    def pixels(self, pixels: np.ndarray) -> list[list[float]]:
        """Answer the scores of pixels, ``(N, H, W, C)``, as ``(N, classes)``."""
        return self._classifier.predict(pixels).tolist()
