"""The checkup: all that is known of a machine and of the settings, in one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bundle.errors import DomainError
from runtime.config import Config, Settings, key
from runtime.doctor.engines import facts_of_engines
from runtime.doctor.findings import Finding, findings_of, memory_estimate
from runtime.doctor.machine import facts_of_machine
from runtime.server import count_workers

# These keys hold digests of tokens; only their number is shown.
_SECRET = frozenset(("write_tokens", "predict_tokens"))


@dataclass(frozen=True)
class Checkup:
    """The state of this machine, with the effect of the settings.

    Attributes:
        machine: the machine.
        engines: the engines and extras.
        settings: each setting that is not the default: its value and its source.
        effective: the workers, threads and memory that follow from the settings.
        findings: the faults and doubts.
    """

    machine: Mapping[str, Any]
    engines: Mapping[str, Any]
    settings: Mapping[str, Mapping[str, Any]]
    effective: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def is_fine(self) -> bool:
        """Whether the service would start and answer."""
        return not any(finding.stops for finding in self.findings)


def check_up(
    read: Callable[[], Settings], is_served: Callable[[Config], bool]
) -> Checkup:
    """Look at the machine, and at the settings if they can be read.

    Args:
        read: reads the settings.
        is_served: tells whether the service of some settings runs already.
    """
    try:
        settings = read()
    except DomainError as ex:
        machine, engines = facts_of_machine(Config()), facts_of_engines()
        return Checkup(machine, engines, {}, {}, (Finding(True, str(ex)),))
    config = settings.config
    workers = count_workers(config)
    doubts = [Finding(False, doubt) for doubt in settings.doubts]
    found = findings_of(config, workers, lambda: is_served(config))
    return Checkup(
        facts_of_machine(config),
        facts_of_engines(),
        {
            key(name): {"value": _shown(config, name), "source": source}
            for name, source in settings.sources.items()
            if source != "default"
        },
        {
            "workers": workers,
            "threads": config.threads,
            "intraOpThreads": config.intra_op_threads,
            "memory_bytes": _estimate(config, workers),
        },
        tuple(sorted([*found, *doubts], key=lambda one: not one.stops)),
    )


def _estimate(config: Config, workers: int) -> int | None:
    try:
        return memory_estimate(config, workers)
    except DomainError:  # the store cannot be opened, which is a finding
        return None


def _shown(config: Config, name: str) -> Any:
    value = getattr(config, name)
    if name in _SECRET:
        return f"{len(value)} digest{'s' * (len(value) != 1)}"
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value if isinstance(value, int | float | str | bool) else str(value)
