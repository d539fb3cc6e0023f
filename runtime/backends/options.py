"""The options with which models are opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bundle.variants import Variant
from runtime.config import Batching, OnnxPolicy, Provider


@dataclass(frozen=True)
class BackendOptions:
    """The options with which models are opened.

    Attributes:
        onnx: ``prefer``, ``require`` or ``off``; see config.json's ``onnx``.
        provider: ``auto``, ``cpu`` or ``cuda``.
        variant: the variant of model.onnx, where params.json names none.
        max_batch_size: the most items in one run; a model is warmed with so many.
        batching: whether requests are run together; see
            ``runtime.models.batch_policy``.
        max_queue: the most requests that may wait for a batch.
        max_queue_delay_us: the time that a batch waits until it is full, in
            microseconds.
        intra_op_threads: the threads of one run in ONNX Runtime; 0 takes one a core.
        threads: the threads of this process that may ask a model at once.
        models: some of these fields for single models, by the models' names.
    """

    onnx: OnnxPolicy = "prefer"
    provider: Provider = "auto"
    variant: Variant = "fp32"
    max_batch_size: int = 32
    batching: Batching = "off"
    max_queue: int = 256
    max_queue_delay_us: int = 0
    intra_op_threads: int = 1
    threads: int = 1
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, name: str) -> BackendOptions:
        """Return these options, with those that are set for one model."""
        return replace(self, **self.models.get(name, {}))

    def differ(self, others: BackendOptions, name: str) -> bool:
        """Tell whether other options open one model in another way."""
        ours, theirs = self.of(name), others.of(name)
        return replace(ours, models={}) != replace(theirs, models={})
