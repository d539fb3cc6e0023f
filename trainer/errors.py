"""Every way a training can be refused, or fail, with a sentence for who started it.

* DomainError            (bundle.errors)
  x DataError            what ``--fin`` names is no data set that can be trained on
  x DestinationError     a bundle, or an image, may not be written where it should go
  * StoreError           (bundle.errors) the work failed
    x WriteFailed        the disk refused what a training wrote
  x TensorFlowMissing    the installation cannot train
"""

from bundle.errors import DomainError, StoreError


class DataError(DomainError):
    """What ``--fin`` names is no data set that can be trained on."""


class DestinationError(DomainError):
    """A bundle, or an image, may not be written where it should go."""


class WriteFailed(StoreError):
    """The disk refused what a training wrote; nothing of it is left."""


class TensorFlowMissing(DomainError):
    """The installation cannot train."""
