"""``runtime serve --ray``: the service on a cluster, from a terminal."""

from __future__ import annotations

import os
import signal
import threading

import click

from bundle.terminal import Failed
from runtime.config import Config
from runtime.preflight import check_config
from runtime.ray.cluster import connected
from runtime.ray.scale import Scale
from runtime.server.signals import hear
from runtime.telemetry.logs import set_up_logs

WHAT = "runtime serve --ray"


def serve(
    config: Config, doubts: tuple[str, ...], scale: Scale, address: str = ""
) -> None:
    """Serve on Ray.

    On a cluster it returns when the service answers, and the cluster goes on serving.
    Without an address Ray runs on this machine alone, until SIGTERM or Ctrl-C.

    Args:
        config: the settings.
        doubts: sentences for the log, on settings that are seldom meant.
        scale: the number and the size of the replicas.
        address: the cluster's ``host:port``; empty starts Ray here.

    Raises:
        ConfigError: a setting cannot work.
        WrongInput: the extra ``cluster`` is missing.
        Failed: the cluster cannot be reached, or the replicas cannot start.
    """
    doubts += check_config(config)
    set_up_logs(config)
    if not address:
        # Ray's own proxy costs ten times as much. On a cluster each machine sets this.
        os.environ.setdefault("RAY_SERVE_ENABLE_HA_PROXY", "1")
    with connected(WHAT, address):
        from runtime.ray.serving import announce, deploy, end

        deploy(config, scale, doubts)
        announce(config, scale, address)
        if address:
            click.echo("the cluster goes on serving; --stop ends it")
            return
        asked = threading.Event()
        hear((signal.SIGTERM, signal.SIGINT), asked.set)
        asked.wait()
        end()


def stop(address: str) -> None:
    """End the service on a cluster, after the requests in hand.

    Raises:
        Failed: the cluster cannot be reached, or it does not serve.
    """
    with connected(WHAT, address):
        from runtime.ray.serving import end

        if not end():
            raise Failed(f"the cluster at {address} does not serve this application")
