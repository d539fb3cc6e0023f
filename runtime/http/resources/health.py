"""Health: a process tells that it lives, and whether it should get requests."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

import falcon

from runtime.models.readiness import Readiness


class AliveBody(TypedDict):
    """Whether the process lives."""

    status: Literal["alive"]


class ReadyBody(TypedDict):
    """The service should get requests.

    Attributes:
        status: the state.
        store_age_seconds: how many seconds ago the object store was read; missing where
            the store is a folder.
    """

    status: Literal["ready"]
    store_age_seconds: NotRequired[float]


class NotReadyBody(TypedDict):
    """The service should get no requests.

    Attributes:
        status: the state.
        reasons: the reasons, one sentence each.
    """

    status: Literal["not ready"]
    reasons: list[str]


class Live:
    """``GET /livez`` and ``GET /healthz``: any answer shows that the process lives."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer."""
        resp.media = AliveBody(status="alive")

    on_head = on_get


class Ready:
    """``GET /readyz``: 503 while the service should get no requests.

    Args:
        readiness: the reasons why it should get none.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer, with the reasons if the service is not ready; load no model."""
        if reasons := self._readiness.reasons():
            resp.status = falcon.HTTP_503
            resp.media = NotReadyBody(status="not ready", reasons=reasons)
        else:
            body = ReadyBody(status="ready")
            if (age := self._readiness.age()) is not None:
                body["store_age_seconds"] = round(age, 1)
            resp.media = body

    on_head = on_get
