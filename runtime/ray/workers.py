"""The processes of a cluster that score: their number, and what each takes."""

from __future__ import annotations

from dataclasses import dataclass

import ray

from runtime.admin.errors import AdminError


@dataclass(frozen=True)
class Workers:
    """The processes that score.

    Attributes:
        count: their number; None is as many as the cluster's processors, or GPUs.
        cpus: the processors that each takes.
        gpus: the GPUs that each takes, or a fraction of one.
    """

    count: int | None
    cpus: float
    gpus: float

    def counted(self) -> int:
        """Return the number of processes for this cluster.

        Raises:
            AdminError: no node has what one process takes, and nobody gave a number.
        """
        if self.count:
            return self.count
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        wanted = {name: amount for name, amount in wanted.items() if amount}
        fits = [
            min(int(node["Resources"].get(name, 0) / wanted[name]) for name in wanted)
            for node in ray.nodes()  # type: ignore[no-untyped-call]
            if node["Alive"] and wanted
        ]
        if not sum(fits):
            raise AdminError(
                f"no node of the cluster has {self.cpus:g} CPUs and {self.gpus:g} GPUs"
                " for a process; ask for fewer with --cpus and --gpus, or wait with"
                " --workers N for nodes that start later"
            )
        return sum(fits)
