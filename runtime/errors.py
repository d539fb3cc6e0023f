"""The errors of a request inside the service, without a protocol.

* DomainError          bundle/errors.py: archives, bundles, images, shapes, the store
  * ServiceError
    x InvalidInput     the client's request cannot become a model's input
    x Unauthorized     the request needs a token, and has none or a wrong one
    x NotOffered       the client asks for a part of a protocol that is not offered
    x Forbidden        no token could admit the request
    x RateLimited      the client asks more often than config.json's ``rate`` allows
    x Overloaded       too many requests wait already
    x TooSlow          the client sends its request too slowly
    x Expired          the request's time is over, and it was not run yet
    x BackendError     the engine cannot load the model, or failed on a valid input
    x ProviderError    config.json asks for CUDA, which does not work here
    x WallsError       config.json asks for walls that this machine does not have

``runtime/http/errors.py`` has the table of their statuses, and
``runtime/grpc/errors.py`` that of gRPC.
"""

from bundle.errors import DomainError


class ServiceError(DomainError):
    """A request that was not answered."""


class InvalidInput(ServiceError):
    """The client's request cannot become a model's input."""


class NotOffered(ServiceError):
    """The client asks for a part of a protocol that this service does not offer."""


class Unauthorized(ServiceError):
    """The request needs a token, and has none or a wrong one."""


class Forbidden(ServiceError):
    """No token could admit the request."""


class RateLimited(ServiceError):
    """The client asks more often than config.json's ``rate`` allows."""


class Overloaded(ServiceError):
    """Too many requests wait already; the client may try again."""


class TooSlow(ServiceError):
    """The client sends its request too slowly."""


class Expired(ServiceError):
    """The request's time was over before it could be run, and it was not run."""


class BackendError(ServiceError):
    """The engine cannot load the model, or failed on a valid input."""


class ProviderError(ServiceError):
    """config.json asks for CUDA, which does not work here; nothing else may answer."""


class WallsError(ServiceError):
    """config.json asks for walls that this machine does not have."""
