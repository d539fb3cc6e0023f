"""A replica: one process with the service's application, as an actor of Ray Serve."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from prometheus_client import CollectorRegistry, Metric
from ray import serve

from bundle.errors import DomainError
from runtime.app import start_services
from runtime.config import Config
from runtime.http.application import App, create_app
from runtime.http.environ_keys import Environ
from runtime.http.resources.metrics import show_store
from runtime.mirroring import Mirroring
from runtime.ray.fleet import of_all, with_replica
from runtime.telemetry.metrics import current_registry

# A replica takes requests when it is ready; it asks itself once in so many seconds.
PAUSE_SECONDS = 0.1
# The other replicas tell their metrics in milliseconds. One that is just ending does
# not, and its metrics are left out.
METRICS_SECONDS = 5.0

# This begins the sentence of an error in the texts of Ray, which have many more lines.
SENTENCE = "tfaas-onnx cannot start: "
END = "|"


@serve.ingress()
class Replica:
    """Answers requests over the store of the settings.

    Args:
        config: the settings. They come from the process that deployed the service; a
            node needs no config.json.
    """

    def __init__(self, config: Config) -> None:
        try:
            # One process of each machine keeps its copy of an object store.
            Mirroring(config).start()
            self._services = start_services(config)
        except DomainError as ex:
            raise RuntimeError(f"{SENTENCE}{ex}{END}") from None
        self._threads = config.threads
        self._readiness = self._services.readiness()
        self._app = create_app(self._services, config, self._of_all_replicas)
        # A new version of the service replaces the old one when its replicas have
        # started, so this one waits until its models are in memory.
        while self._readiness.reasons():
            time.sleep(PAUSE_SECONDS)

    def __serve_build_asgi_app__(self) -> Any:
        """Return the application, as Ray Serve asks for it."""
        # Its type of an environ has the keys of PEP 3333 alone.
        application = cast("Any", BehindProxy(self._app))
        return WSGIMiddleware(application, workers=self._threads)

    def check_health(self) -> None:
        """Answer Ray Serve, which replaces a replica after three failures in a row.

        Raises:
            RuntimeError: ``GET /readyz`` would tell that the service is not ready.
        """
        if reasons := self._readiness.reasons():
            raise RuntimeError("; ".join(reasons))

    def own_metrics(self) -> Sequence[Metric]:
        """Return the metrics of this replica, each with its label ``replica``."""
        self._services.watch.show()
        show_store(self._services.store)
        name = serve.get_replica_context().replica_id.unique_id
        return with_replica(current_registry().collect(), name)

    def _of_all_replicas(self) -> CollectorRegistry:
        """Ask all replicas for their metrics."""
        context = serve.get_replica_context()
        handle = serve.get_deployment_handle(context.deployment, context.app_name)
        told = handle.broadcast("own_metrics").results(
            timeout_s=METRICS_SECONDS, return_exceptions=True
        )
        return of_all([each for each in told if not isinstance(each, BaseException)])


class BehindProxy:
    """The application, behind the proxy of Ray Serve.

    The proxy adds no header to a request. With its HAProxy each client seems to have
    the address of a machine of the cluster, which may be the replica's own. A service
    without tokens takes uploads from its own machine, and from no proxy; the header
    ``Via`` shows the proxy to it.

    Args:
        app: the application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(
        self, environ: Environ, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        environ.setdefault("HTTP_VIA", "1.1 ray-serve")
        return self._app(environ, start_response)
