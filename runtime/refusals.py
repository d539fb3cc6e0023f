"""The log and the count of refused requests, which all doors share."""

from __future__ import annotations

import logging
import re

from bundle.errors import DomainError, StoreUnreachable
from runtime.backends import InputRefused
from runtime.errors import Expired, Overloaded
from runtime.telemetry.logs import Seldom
from runtime.telemetry.metrics import REJECTS

logger = logging.getLogger(__name__)


class Refusals:
    """Logs and counts the requests that a door refuses."""

    def __init__(self) -> None:
        self._seldom = Seldom()

    def note(self, ex: Exception, what: str, route: str, is_fault: bool) -> None:
        """Log and count a request's error.

        Args:
            ex: the error; one that is no ``DomainError`` is a bug.
            what: the request, such as ``POST /predict``.
            route: the route in the metrics.
            is_fault: whether the answer says that the service is at fault.
        """
        if not isinstance(ex, DomainError):
            logger.error("%s: %r", what, ex, exc_info=ex)
            REJECTS.labels(route, "unexpected").inc()
            return
        REJECTS.labels(route, reason_of(type(ex))).inc()
        if isinstance(ex, (Overloaded, Expired, InputRefused, StoreUnreachable)):
            # These errors are no faults, and come in crowds. The access log has each.
            # The engine's own words tell more of an input that it refused.
            if count := self._seldom.count():
                logger.warning(
                    "%d request%s refused in the last minute or so, this one last:"
                    " %s: %s",
                    count,
                    "" if count == 1 else "s",
                    what,
                    ex.__cause__ or ex,
                )
        elif is_fault:
            logger.error("%s: %s", what, ex, exc_info=ex)


# A word begins at its first capital. The last of several capitals begins the next word:
# ModelNotFound is model_not_found, and HTTPRouteNotFound is http_route_not_found.
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def reason_of(error: type[Exception]) -> str:
    """Return the word for an error in the metrics."""
    return _WORD.sub("_", error.__name__).lower()
