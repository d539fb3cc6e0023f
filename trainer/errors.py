"""The errors of a training; each has a sentence for the person who started it.

* DomainError            (bundle.errors)
  x DataError            ``--fin`` names no data set that can be trained on
  x ArchitectureError    the network cannot be built, or does not fit the data
  x DestinationError     a bundle or an image may not be written to the given place
  * StoreError           (bundle.errors) the work failed
    x WriteFailed        the disk refused a file of a training
  x ClusterFailed        the workers of a training on Ray failed
  x CheckpointError      ``--resume`` has no checkpoint to go on from
  x SettingsError        two options of a training contradict each other
  x SearchMissing        the installation cannot search for settings
  x TensorFlowMissing    the installation cannot train
"""

from bundle.errors import DomainError, StoreError


class DataError(DomainError):
    """The argument ``--fin`` names no data set that can be trained on."""


class ArchitectureError(DomainError):
    """The network cannot be built, or does not fit the data set."""


class DestinationError(DomainError):
    """A bundle or an image may not be written to the given place."""


class WriteFailed(StoreError):
    """The disk refused a file of a training, and no part of the bundle is left."""


class ClusterFailed(StoreError):
    """The workers of a training on Ray failed, and no bundle was written."""


class TensorFlowMissing(DomainError):
    """The installation cannot train."""


class CheckpointError(DomainError):
    """There is no checkpoint that ``--resume`` could go on from."""


class SearchMissing(DomainError):
    """The installation cannot search for settings."""


class SettingsError(DomainError):
    """Two options of a training contradict each other."""
