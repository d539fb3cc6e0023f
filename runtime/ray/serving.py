"""The service on a cluster: replicas of one application, behind the proxies of Ray."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve import Application
from ray.serve.exceptions import RayServeException

from bundle.terminal import Failed
from runtime.access.gate import gate_of
from runtime.access.tokens import with_digests
from runtime.config import Config, ConfigError
from runtime.ray.internals import serve_address
from runtime.ray.replica import END, SENTENCE, Replica
from runtime.ray.scale import Scale

logger = logging.getLogger(__name__)

# The name of the application and of its deployment in Ray Serve.
APPLICATION = "tfaas-onnx"
DEPLOYMENT = "replica"
# A replica that cannot start is tried so often; its first error tells enough.
TRIES = 2
# Ray Serve asks a replica for its health once in so many seconds.
HEALTH_SECONDS = 5.0


def build(config: Config, scale: Scale, doubts: tuple[str, ...] = ()) -> Application:
    """Build the application of Ray Serve.

    Args:
        config: the settings. The replicas get them as they are here, with the tokens of
            their files.
        scale: the replicas.
        doubts: sentences for the log, on settings that are seldom meant.

    Raises:
        ConfigError: a setting cannot work on Ray.
    """
    for doubt in (*doubts, *_doubts(config)):
        logger.warning("%s", doubt)
    # Ray's type is that of its decorator.
    replica: Any = serve.deployment(Replica)
    deployment = replica.options(
        name=DEPLOYMENT,
        max_constructor_retry_count=TRIES,
        health_check_period_s=HEALTH_SECONDS,
        # The service writes a line for each request itself.
        logging_config={"enable_access_log": False},
        **scale.as_options(config),
    )
    application: Application = deployment.bind(_for_replicas(config))
    return application


def deploy(config: Config, scale: Scale, doubts: tuple[str, ...] = ()) -> None:
    """Serve on the cluster that this process is connected to, or replace what serves.

    New replicas start beside the old ones, and these end when they have answered their
    requests. It returns when all new replicas take requests.

    Raises:
        ConfigError: a setting cannot work on Ray, or a replica refuses it; or the
            cluster serves at another address already.
        Failed: Ray cannot start the replicas.
    """
    application = build(config, scale, doubts)
    _quieten()
    nodes: Any = ray.nodes  # it has no types
    if sum(node["Alive"] for node in nodes()) > 1:
        for doubt in _of_several_machines(config):
            logger.warning("%s", doubt)
    try:
        serve.start(http_options={"host": config.host, "port": config.port})
        _check_place(config)
        serve.run(application, name=APPLICATION, route_prefix="/")
    except (RayError, RayServeException, RuntimeError, ValueError) as ex:
        raise _told(str(ex)) from ex


def _check_place(config: Config) -> None:
    """Refuse another address than that at which Ray Serve listens since its start.

    Raises:
        ConfigError: Ray Serve would ignore the address.
    """
    host, port = serve_address()
    if (host, port) != (config.host, config.port):
        raise ConfigError(
            f"Ray Serve of this cluster serves already, on {host}:{port}: give --host"
            f" {host} and --port {port}, or end it with `serve shutdown`"
        )


def end() -> bool:
    """End the service after the requests in hand; tell whether there was one."""
    _quieten()
    if APPLICATION not in serve.status().applications:
        return False
    serve.delete(APPLICATION)
    return True


def _quieten() -> None:
    """Let Ray Serve tell only what fails, and not each of its steps."""
    logging.getLogger("ray.serve").setLevel(logging.WARNING)


def _told(text: str) -> Exception:
    """Find the service's own sentence in a text of Ray's, or Ray's last error."""
    found = re.search(f"{re.escape(SENTENCE)}(.*?){re.escape(END)}", text, re.DOTALL)
    if found:
        return ConfigError(found[1])
    # Ray shows a traceback for each process on the way; the cause comes last.
    causes = re.findall(r"^(?:[\w.]+\.)?\w+(?:Error|Exception): (.+)$", text, re.M)
    line = (causes[-1:] or text.strip().splitlines() or ["no reason is known"])[0]
    return Failed(f"Ray cannot start the replicas: {line[:500]}")


def announce(config: Config, scale: Scale, address: str) -> None:
    """Print what serves, and where."""
    replicas = f"{scale.min_replicas}"
    if scale.most > scale.min_replicas:
        replicas += f" to {scale.most}"
    plural = "" if scale.most == 1 else "s"
    where = f"the cluster at {address}" if address else "this machine"
    click.echo(
        f"serving {config.model_dir}/ on http://{_host(config)}:{config.port}"
        f"  ({replicas} replica{plural} on {where})"
    )
    click.echo(
        gate_of(config).sentence
        if config.write_tokens or config.write_tokens_file
        else "uploads and other writes are refused, because no 'writeTokens' are set"
    )


def _host(config: Config) -> str:
    host = "localhost" if config.host in ("0.0.0.0", "::") else config.host
    return f"[{host}]" if ":" in host else host


def _for_replicas(config: Config) -> Config:
    """Return the settings as other machines need them.

    Files of tokens are read here. Paths become absolute, because a replica has another
    working folder.
    """

    def absolute(path: str) -> str:
        return str(Path(path).absolute()) if path else path

    folder = config.model_dir
    return replace(
        with_digests(config),
        model_dir=folder.absolute() if isinstance(folder, Path) else folder,
        object_cache_dir=absolute(config.object_cache_dir),
        static_dir=absolute(config.static_dir),
        config_proto=absolute(config.config_proto),
        log_file=absolute(config.log_file),
        feedback_dir=absolute(config.feedback_dir),
    )


def _doubts(config: Config) -> Iterator[str]:
    """Tell what works otherwise than with ``runtime serve``.

    Raises:
        ConfigError: a setting cannot work.
    """
    if config.server_key:
        raise ConfigError(
            "'serverKey' is set, and Ray Serve speaks no TLS: take 'serverKey' and"
            " 'serverCrt' out, and put a TLS proxy in front"
        )
    if not config.port:
        raise ConfigError("'port' is 0, and Ray Serve needs a port: give one")
    if config.grpc_port:
        yield "'grpcPort' has no effect on Ray: only `runtime serve` answers gRPC"
    if config.workers:
        yield "'workers' has no effect on Ray: each replica is one process"
    if config.rate and not config.trusted_proxies:
        yield (
            "'rate' counts all clients of one proxy as one client on Ray, and each"
            " replica counts for itself"
        )


def _of_several_machines(config: Config) -> Iterator[str]:
    """Tell what works on one machine, and not on several."""
    if config.host in ("127.0.0.1", "localhost", "::1"):
        yield (
            f"'host' is {config.host}, so the proxy of one machine cannot reach the"
            " replicas of another: give --host 0.0.0.0 on a cluster of several machines"
        )
    if isinstance(config.model_dir, Path):
        yield (
            f"'modelDir' is the folder {config.model_dir}: each machine of the cluster"
            " must see the same folder there, or give the URL of an object store"
        )
