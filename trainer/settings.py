"""The settings of a training: all that decides its weights, besides the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

Recipe = Literal["quick", "best"]
Precision = Literal["float32", "mixed"]


@dataclass(frozen=True)
class Settings:
    """The settings of a training.

    Attributes:
        epochs: the number of passes through the data.
        batch_size: the number of images or rows in one step.
        seed: the seed of the weights, the order, the augmentation and the dropout; 0 to
            2**32 - 1.
        network: a name in ``trainer.networks``, or ``module.py:function``.
        recipe: ``quick`` is Adam with a constant rate; ``best`` is AdamW, whose rate
            falls along a cosine.
        learning_rate: the rate of the first step.
        width: the factor of the numbers of channels or units in each layer.
        augmentation: a name in ``trainer.augmentation``; None is not chosen yet.
        strength: the factor of the augmentation's angles, shifts and scales.
        precision: ``mixed`` computes in 16 bits and keeps the weights in float32.
        patience: the training ends when the loss on the validation part has not become
            lower in so many epochs; None never ends it early.
        start: the bundle whose weights the training starts from, as the user named it;
            None starts from weights by chance.
        workers: the number of processes that train together, each on its share of every
            batch.
        progress_bar: show a bar, which needs a terminal. Otherwise each epoch prints
            one line.
    """

    epochs: int
    batch_size: int
    seed: int
    network: str = "cnn"
    recipe: Recipe = "quick"
    learning_rate: float = 0.001
    width: float = 1.0
    augmentation: str | None = "none"
    strength: float = 1.0
    precision: Precision = "float32"
    patience: int | None = None
    start: str | None = None
    workers: int = 1
    progress_bar: bool = False

    @property
    def network_name(self) -> str:
        """The network's name for other people, without a folder of this machine."""
        return PurePath(self.network).name

    @property
    def start_name(self) -> str | None:
        """The bundle that the training started from, without a folder."""
        return self.start and PurePath(self.start).name
