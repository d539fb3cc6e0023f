"""The counts of each model's requests, read out of the metrics."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from runtime.telemetry.journey import STAGES
from runtime.telemetry.metrics import current_registry


class _Sums(defaultdict[tuple[str, str], float]):
    """A sum for each pair of labels, such as a model and its version."""

    def __init__(self) -> None:
        super().__init__(float)


@dataclass
class Statistics:
    """The counts of all models since the service began.

    Attributes:
        answered: the requests that succeeded, by model and version.
        failed: the others, by model and version.
        seconds: the time of both, by model and version.
        runs: the runs of an engine, by model; the version is empty.
        items: the items in these runs, by model; the version is empty.
        stages: the seconds of each stage, by model; the version is empty.
    """

    answered: _Sums = field(default_factory=_Sums)
    failed: _Sums = field(default_factory=_Sums)
    seconds: _Sums = field(default_factory=_Sums)
    runs: _Sums = field(default_factory=_Sums)
    items: _Sums = field(default_factory=_Sums)
    stages: dict[str, _Sums] = field(
        default_factory=lambda: {stage: _Sums() for stage in STAGES}
    )


def read_statistics() -> Statistics:
    """Read the counts of this process, or of all processes that share the metrics."""
    read = Statistics()
    for metric in current_registry().collect():
        for sample in metric.samples:
            labels = sample.labels
            key = (labels.get("model", ""), labels.get("version", ""))
            if not key[0]:
                continue
            match sample.name:
                case "tfaas_requests_total":
                    is_answered = labels["status"] < "400"
                    sums = read.answered if is_answered else read.failed
                case "tfaas_request_seconds_sum":
                    sums = read.seconds
                case "tfaas_batch_size_count":
                    sums = read.runs
                case "tfaas_batch_size_sum":
                    sums = read.items
                case "tfaas_stage_seconds_sum":
                    sums = read.stages[labels["stage"]]
                case _:
                    continue
            sums[key] += sample.value
    return read
