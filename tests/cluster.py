"""A cluster of Ray on this machine: several nodes, each with processes of its own.

``tests/end_to_end/cluster/conftest.py`` makes one for all tests of a run.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.documents import ROOT

# Ray notices the death of a node after 15 s by default. Here it takes a second or two,
# because a killed node refuses connections; the limit of 5 s is for a busy machine.
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 3,
}


def free_port() -> int:
    """Return a port of this machine that nobody listens on now."""
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        return int(ours.getsockname()[1])


class RayCluster:
    """A cluster's nodes.

    Attributes:
        address: the address for ``--address``.
        environment: the variables that a process needs to join or to ask the cluster.
        http_port: the port at which Ray Serve answers, as soon as something is served.
    """

    def __init__(self, cluster: Any, environment: dict[str, str]) -> None:
        self._cluster = cluster
        self.address: str = cluster.address
        self.environment = {**environment, "RAY_ADDRESS": self.address}
        self.http_port = int(environment["TEST_SERVE_PORT"])

    @property
    def url(self) -> str:
        """The URL of what Ray Serve serves."""
        return f"http://127.0.0.1:{self.http_port}"

    def processes(self, title: str) -> list[psutil.Process]:
        """Return the processes of this cluster with a text in their titles.

        Other clusters of this machine may have processes with the same titles.
        """
        found = []
        for process in psutil.process_iter():
            # A process may have ended meanwhile, or be somebody else's.
            with contextlib.suppress(psutil.Error):
                if (
                    title in " ".join(process.cmdline())
                    and process.environ().get("RAY_AUTH_TOKEN_PATH")
                    == self.environment["RAY_AUTH_TOKEN_PATH"]
                ):
                    found.append(process)
        return found

    def add_node(self, cpus: int = 2) -> Any:
        """Add a node, and return it when it is a part of the cluster."""
        return self._cluster.add_node(num_cpus=cpus, **_ports())

    def kill_node(self, node: Any) -> None:
        """Kill all processes of a node with SIGKILL."""
        self._cluster.remove_node(node, allow_graceful=False)


def _ports() -> dict[str, int]:
    """Return ports for a node's agents, which would choose their own."""
    names = (
        "dashboard_agent_listen_port",
        "metrics_agent_port",
        "metrics_export_port",
        "runtime_env_agent_port",
    )
    return {name: free_port() for name in names}


def _start_patiently(node_class: Any) -> Callable[[Any], None]:
    """Let nodes know the port of their agent before it has started.

    A node waits 15 s for the file in which the agent tells its port. Then it ends, and
    on a busy machine the agent takes longer.
    """
    start = node_class.start_ray_processes

    def start_patiently(node: Any) -> None:
        name = f"dashboard_agent_listen_port_{node.node_id}"
        file = Path(node.get_session_dir_path()) / name
        file.write_text(str(node.dashboard_agent_listen_port))
        start(node)

    return start_patiently


@contextmanager
def ray_cluster(folder: Path, nodes: int = 2, cpus: int = 2) -> Iterator[RayCluster]:
    """Run a cluster on this machine for the length of a block.

    Args:
        folder: a new folder, for the secret of the cluster and its logs.
        nodes: the number of nodes.
        cpus: the processors that each node says it has.
    """
    # Ray would write a secret into the home folder of whoever runs the tests.
    token = folder / "token"
    token.write_text("a-secret-of-this-test-with-enough-letters")
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # On a busy machine a node takes longer than Ray's 30 s to start.
        "RAY_raylet_start_wait_time_s": "180",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "haproxy.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "haproxy-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        # HAProxy's replicas wait so long for requests that are on their way; 30 s is
        # Ray's default.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "3",
        "TEST_SERVE_PORT": str(free_port()),
        # The processes of Ray run this code, wherever the tests were started.
        "PYTHONPATH": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        # Ray leaves files and processes of its own to the garbage collector.
        warnings.simplefilter("ignore")
        from ray._private.node import Node
        from ray.cluster_utils import Cluster

        patch.setattr(Node, "start_ray_processes", _start_patiently(Node))
        logging.getLogger("ray").setLevel(logging.ERROR)
        cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": cpus,
                **_ports(),
                "_system_config": HEALTH,
                # The dashboard has nine processes, which take most of the start.
                "include_dashboard": False,
                "dashboard_port": free_port(),
            },
        )
        try:
            for _ in range(nodes - 1):
                cluster.add_node(num_cpus=cpus, **_ports())
            yield RayCluster(cluster, environment)
        finally:
            with contextlib.suppress(Exception):
                cluster.shutdown()


def until(condition: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Ask again and again until the answer is true; return it, or fail."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} s: {what}")
