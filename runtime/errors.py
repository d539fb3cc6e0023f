"""Every way a request can fail inside the service, without a word of HTTP.

* DomainError          bundle/errors.py: archives, bundles, images, shapes, the store
  * ServiceError
    x InvalidInput     the client's request cannot become a model's input
    x TooLarge         the request's body is above its limit
    x BackendError     the engine cannot load the model, or failed on a valid input

``runtime/app.py`` holds the one table that gives each its status.
"""

from bundle.errors import DomainError


class ServiceError(DomainError):
    """A request that was not answered."""


class InvalidInput(ServiceError):
    """The client's request cannot become a model's input."""


class TooLarge(ServiceError):
    """The request's body is above its limit."""


class BackendError(ServiceError):
    """The engine cannot load the model, or failed on a valid input."""
