"""The workers of ``trainer run --ray-workers`` as the user asked for them.

This imports no Ray; ``trainer.ray`` has the training itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainer.errors import SettingsError
from trainer.images import in_memory
from trainer.samples import Samples

OPTION = "--ray-workers"


@dataclass(frozen=True)
class Fleet:
    """The workers that train together.

    Attributes:
        workers: the number of workers.
        cpus: the processors that each of them gets.
        address: the cluster's ``host:port``; None starts Ray on this machine alone.
        storage: the folder or the bucket of the checkpoints; None is the folder beside
            the bundle's place.
    """

    workers: int
    cpus: int = 1
    address: str | None = None
    storage: str | None = None

    def check(self, data: Samples, batch_size: int) -> None:
        """Check that the workers can train on these data.

        Args:
            data: the data set.
            batch_size: the number of rows in one step of all workers.

        Raises:
            SettingsError: a batch has fewer rows than workers, or the images lie in a
                file of this machine.
        """
        least = min(batch_size, len(data.y_train))
        if self.workers > least:
            raise SettingsError(
                f"{OPTION} {self.workers} are more workers than the {least} rows of a"
                " batch; give fewer workers, or a larger --batch-size"
            )
        x = data.x_train
        if not isinstance(x, Mapping) and not in_memory(x):
            raise SettingsError(
                f"{OPTION} sends the images to all workers, and these images lie in a"
                " file of this machine, because they are too many for its memory; give"
                " a larger bound with --memory, or a smaller --size"
            )
