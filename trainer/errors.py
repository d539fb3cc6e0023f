"""Every way a training can be refused, or fail, with a sentence for who started it.

* DomainError            (bundle.errors)
  x DataError            what ``--fin`` names is no data set that can be trained on
  x DestinationError     the bundle, or an image, cannot be written where it should go
  x TensorFlowMissing    the installation cannot train
"""

from bundle.errors import DomainError


class DataError(DomainError):
    """What ``--fin`` names is no data set that can be trained on."""


class DestinationError(DomainError):
    """The bundle, or an image, cannot be written where it should go."""


class TensorFlowMissing(DomainError):
    """The installation cannot train."""
