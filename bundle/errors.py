"""The errors of a bundle, an archive, an image and the store.

* DomainError          a failure with a sentence for the person who caused it
  x ArchiveError       the upload is no archive that can be taken
  x TooLarge           a request's body is above its limit, packed or unpacked
  x BundleError        the folder is no bundle, or not a whole one
  x ImageError         the bytes are no image that can be read
  x ShapeError         an array does not fit the model's input
  x ModelNotFound      the store has no model of this name
  x ConflictError      the request contradicts the store's state
  * StoreError         the disk refused an operation of the store
    x StoreUnreachable the object store does not answer

A sentence tells what is wrong, names the file or field, and says what to do. It never
names a folder of the server, because a client may read it.
"""


class DomainError(Exception):
    """A failure with a sentence for the person who can mend it."""


class ArchiveError(DomainError):
    """The upload is no archive that can be taken."""


class TooLarge(DomainError):
    """A request's body is above its limit, packed or unpacked."""


class BundleError(DomainError):
    """The folder is no bundle, or not a whole one."""


class ImageError(DomainError):
    """The bytes are no image that can be read."""


class ShapeError(DomainError):
    """An array does not fit the model's input."""


class ModelNotFound(DomainError):
    """The store has no model of this name."""


class ConflictError(DomainError):
    """The request contradicts the store's state."""


class StoreError(DomainError):
    """The disk refused an operation of the store: it is full, or not writable."""


class StoreUnreachable(StoreError):
    """The object store does not answer, or refuses; it may answer later."""
