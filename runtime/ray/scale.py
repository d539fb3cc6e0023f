"""The number and the size of the replicas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runtime.config import Config, ConfigError


@dataclass(frozen=True)
class Scale:
    """The number and the size of the replicas; each replica is one process.

    Attributes:
        min_replicas: the least number of replicas.
        max_replicas: the most; None is as many as ``min_replicas``, so that Ray adds
            none.
        target_ongoing_requests: Ray adds replicas while each of them answers more
            requests than this at once, on average.
        cpus_per_replica: the processors that Ray reserves for each replica.
        gpus_per_replica: the GPUs that Ray reserves for each; 0.5 lets two share one.
    """

    min_replicas: int = 1
    max_replicas: int | None = None
    target_ongoing_requests: float = 2.0
    cpus_per_replica: float = 1.0
    gpus_per_replica: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that cannot work.

        Raises:
            ConfigError: the sentence names the number.
        """
        if self.min_replicas < 1:
            # With 0 the first request would wait for a process and a model.
            raise ConfigError(f"minReplicas is {self.min_replicas}; give 1 or more")
        if self.most < self.min_replicas:
            raise ConfigError(
                f"maxReplicas is {self.most}, fewer than minReplicas,"
                f" {self.min_replicas}"
            )
        if not 0 < self.target_ongoing_requests < math.inf:
            raise ConfigError("targetOngoingRequests must be more than 0")
        if not 0 <= self.cpus_per_replica < math.inf:
            raise ConfigError("cpusPerReplica must be 0 or more")
        gpus = self.gpus_per_replica
        # Ray shares one GPU among actors, but gives an actor no part of a second one.
        if not 0 <= gpus < math.inf or (gpus > 1 and gpus != int(gpus)):
            raise ConfigError(
                "gpusPerReplica must be a share of one GPU, such as 0.5, or a whole"
                " number"
            )

    @property
    def most(self) -> int:
        """The most replicas."""
        return self.min_replicas if self.max_replicas is None else self.max_replicas

    def as_options(self, config: Config) -> Mapping[str, Any]:
        """Return the options of a deployment of Ray Serve.

        Raises:
            ConfigError: config.json asks for CUDA, and no GPU is reserved.
        """
        if config.provider == "cuda" and not self.gpus_per_replica:
            raise ConfigError(
                "'provider' is cuda, and Ray reserves no GPU for a replica; give"
                " --gpus-per-replica, such as 0.5"
            )
        options: dict[str, Any] = {
            "ray_actor_options": {
                "num_cpus": self.cpus_per_replica,
                "num_gpus": self.gpus_per_replica,
            },
            # More requests wait in the proxy, or get 503.
            "max_ongoing_requests": config.threads + config.max_queue,
            "graceful_shutdown_timeout_s": float(config.drain_seconds),
        }
        if self.most == self.min_replicas:
            options["num_replicas"] = self.min_replicas
        else:
            options["autoscaling_config"] = {
                "min_replicas": self.min_replicas,
                "max_replicas": self.most,
                "target_ongoing_requests": self.target_ongoing_requests,
            }
        return options
