"""The checkpoint of an order whose epochs are done on Ray."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.checkpoint import Checkpoints
from trainer.ray.storage import Storage
from trainer.samples import Samples
from trainer.saved import Saved


class RayCheckpoints(Checkpoints):
    """Trials lie in the driver's file, as without Ray, and epochs in Ray's storage.

    Args:
        place: see ``Checkpoints``, as the others.
        name: the name that the bundle will have.
        order: the options that decide the weights.
        data: the data set.
        files: other files that decide the weights.
        storage: the place of the epochs; None is the folder of the driver's file.

    Attributes:
        storage: the states of the epochs.
    """

    def __init__(
        self,
        place: Path,
        name: str,
        order: Mapping[str, Any],
        data: Samples,
        files: tuple[Path, ...] = (),
        storage: str | None = None,
    ) -> None:
        super().__init__(place, name, order, data, files)
        # Other models and orders may have their states in the same place.
        folder = f"{name}-{self.file.stem}"
        self.storage = Storage(storage or str(self.file.parent.resolve()), folder)

    def find(self) -> Saved | None:
        """See ``Checkpoints``; the newest epoch, or else the trials."""
        return self.storage.newest() or super().find()

    def remove(self) -> None:
        """See ``Checkpoints``."""
        self.storage.remove()
        super().remove()
