"""Every way a request can fail inside the service, without a word of HTTP.

* DomainError          bundle/errors.py: archives, bundles, images, shapes, the store
  * ServiceError
    x InvalidInput     the client's request cannot become a model's input
    x Unauthorized     the request needs a token, and bears none that admits it
    x Forbidden        no token could admit the request
    x RateLimited      the client asks more often than config.json's ``rate`` allows
    x Overloaded       more requests wait for the model than may
    x TooSlow          the client sends its request too slowly
    x Expired          the request's time is over, and it was not run yet
    x BackendError     the engine cannot load the model, or failed on a valid input
    x ProviderError    CUDA was demanded and does not work; nothing else may answer
    x WallsError       walls around strangers' models were demanded and do not stand

``runtime/app.py`` holds the one table that gives each its status.
"""

from bundle.errors import DomainError


class ServiceError(DomainError):
    """A request that was not answered."""


class InvalidInput(ServiceError):
    """The client's request cannot become a model's input."""


class Unauthorized(ServiceError):
    """The request needs a token, and bears none that admits it."""


class Forbidden(ServiceError):
    """No token could admit the request as it came."""


class RateLimited(ServiceError):
    """The client asks more often than it may."""


class Overloaded(ServiceError):
    """More requests wait for the model than may; the client may come again."""


class TooSlow(ServiceError):
    """The client sends its request too slowly to be waited for."""


class Expired(ServiceError):
    """The request's time was over before it could be run; nothing was done."""


class BackendError(ServiceError):
    """The engine cannot load the model, or failed on a valid input."""


class ProviderError(ServiceError):
    """CUDA was demanded and does not work; nothing else may answer."""


class WallsError(ServiceError):
    """Walls around strangers' models were demanded, and this machine has them not."""
