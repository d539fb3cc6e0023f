"""The comparisons of one version with TensorFlow: their counts, and what follows."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.agreement import compare
from bundle.errors import BundleError, DomainError
from bundle.parity import read_parity
from bundle.tolerance import SINGLE, Tolerance, proved_tolerance
from bundle.variants import parity_file
from runtime.config import ParityFailure
from runtime.descriptions import LiveParity as Described
from runtime.errors import BackendError
from runtime.models.model import Model
from runtime.models.watched import Arrays
from runtime.prediction.runs import one_run
from runtime.telemetry import metrics
from runtime.telemetry.once import Once
from runtime.watching.references import References

logger = logging.getLogger(__name__)

# So many items of a request are compared, so that a large one costs no more.
MOST_ITEMS = 32


class ParityOfModel:
    """The comparisons of one version in this process.

    Args:
        model: the version, which has just been loaded.
        references: the TensorFlow that answers too.
        share: the share of the requests that are compared, in percent.
        on_failure: whether a version that answers otherwise gives way to TensorFlow.

    Attributes:
        why_not: the reason why nothing can be compared; else empty.
        failed_at: the time of the first answer that differed, in seconds of
            ``time.time``; 0 if none did.
    """

    def __init__(
        self,
        model: Model,
        references: References,
        share: float,
        on_failure: ParityFailure,
    ) -> None:
        self._references = references
        self._share = share
        self._on_failure = on_failure
        self._name, self._version = model.name, model.version
        self._began = time.time()
        self._once = Once()
        self._lock = threading.Lock()  # guards the counts
        self._counts = dict.fromkeys(("yes", "no", "failed", "dropped"), 0)
        self._largest = 0.0
        self.failed_at = 0.0
        self.why_not = _why_not(model)
        self._tolerance = SINGLE if self.why_not else _tolerance_of(model)

    @property
    def is_on(self) -> bool:
        """Whether a share of the requests is compared."""
        return self._share > 0 and not self.why_not

    def count(self, agreed: str) -> None:
        """Count a request by what came of it."""
        with self._lock:
            self._counts[agreed] += 1
        metrics.LIVE_PARITY.labels(self._name, self._version, agreed).inc()

    def compare(self, model: Model, inputs: Arrays, outputs: Arrays) -> None:
        """Let TensorFlow answer a request too, and compare; never raise."""
        if self.why_not:  # TensorFlow took its place while the request waited
            return
        try:
            reference = self._references.of(model)
            named, answered = _of_run(model, inputs, outputs)
            expected = reference.run(named)
            found = [
                compare(expected[name][: len(got)], got, self._tolerance)
                if got.ndim
                else compare(expected[name], got, self._tolerance)
                for name, got in answered.items()
            ]
        # Every error is TensorFlow's, and must not end this thread.
        except Exception as ex:
            self.count("failed")
            said = f"{self._name} version {self._version}: live parity failed: {ex}"
            if self._once.is_news(said):
                logger.warning(said, exc_info=not isinstance(ex, DomainError))
            return
        is_same = all(one.is_within and one.same.all() for one in found)
        largest = max((one.abs_diff for one in found), default=0.0)
        with self._lock:
            self._largest = max(self._largest, largest)
        metrics.LIVE_PARITY_DIFFERENCE.labels(self._name, self._version).set(
            self._largest
        )
        self.count("yes" if is_same else "no")
        if not is_same and not self.failed_at:
            self.failed_at = time.time()
            rows = [row for one in found for row in one.same.tolist()]
            classes = (
                f"; {sum(rows)} of {len(rows)} best classes are the same"
                if rows
                else ""
            )
            self._tell(
                model,
                "live parity: ONNX Runtime answered otherwise than TensorFlow:"
                f" largest difference {largest:.3g}, tolerance"
                f" {self._tolerance.atol:.3g} + {self._tolerance.rtol:.3g} x value"
                f"{classes}",
            )

    def follow(self, model: Model, failed_at: list[float]) -> None:
        """Give way, too, if the version gave way in another process.

        Args:
            model: the version.
            failed_at: the times at which it failed in the others.
        """
        if (
            self._on_failure == "fallback"
            and self.is_on
            and not self.failed_at
            and any(when > self._began for when in failed_at)
        ):
            self.failed_at = time.time()
            self._tell(
                model, "live parity: it failed in another process of this service"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the counts, for another process."""
        with self._lock:
            return {
                **self._counts,
                "largest": self._largest,
                "failed_at": self.failed_at,
            }

    def describe(self, others: list[dict[str, Any]]) -> Described:
        """Describe the comparisons of all processes.

        Args:
            others: the counts of the other processes.
        """
        counts = [self.to_json(), *others]
        compared = sum(one["yes"] + one["no"] for one in counts)
        differing = sum(one["no"] for one in counts)
        told: Described = {
            "state": "off",
            "reason": self.why_not,
            "share": self._share,
            "compared": compared,
            "differing": differing,
            "failed": sum(one["failed"] for one in counts),
            "dropped": sum(one["dropped"] for one in counts),
            "max_abs_diff": max(one["largest"] for one in counts),
        }
        if self._share > 0:
            if differing or any(one["failed_at"] for one in counts):
                told["state"] = "differs"
            elif self.why_not:
                told["state"] = "not comparable"
            else:
                told["state"] = "agrees" if compared else "waiting"
        return told

    def _tell(self, model: Model, sentence: str) -> None:
        """Warn of a failure, and let TensorFlow serve if that is wanted."""
        shown = f"{self._name} version {self._version}: {sentence}"
        if self._on_failure == "warn":
            logger.warning("%s; ONNX Runtime still answers", shown)
            return
        try:
            model.give_way(sentence)
        except BackendError as ex:
            logger.warning("%s; ONNX Runtime still answers, because %s", shown, ex)
            return
        logger.warning("%s; TensorFlow answers from now on", shown)
        self.why_not = _why_not(model)
        self._references.forget(model)


def _why_not(model: Model) -> str:
    """Tell why a model cannot be compared; empty if it can."""
    if model.backend.name != "onnxruntime":
        return "TensorFlow itself answers"
    if model.bundle.tensorflow_model is None:
        return "the bundle has no TensorFlow model to compare with"
    if model.variant == "int8":
        return "int8 answers otherwise by its nature, and was judged by its trial"
    return ""


def _tolerance_of(model: Model) -> Tolerance:
    """Return the tolerance of the proof; float32's if there is no proof."""
    try:
        proof = read_parity(model.bundle.path, parity_file(model.variant or "fp32"))
    except BundleError:
        return SINGLE
    return proved_tolerance(proof.atol, proof.rtol) if proof else SINGLE


def _of_run(
    model: Model, inputs: Arrays, outputs: Arrays
) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]]]:
    """Return the inputs of one run, and the answers to its first items, by name."""
    if isinstance(outputs, Mapping):
        assert isinstance(inputs, Mapping)
        return inputs, outputs
    items = min(model.backend.inputs[0].shape[0] or MOST_ITEMS, len(outputs))
    first = (
        {name: array[:items] for name, array in inputs.items()}
        if isinstance(inputs, Mapping)
        else inputs[:items]
    )
    return one_run(model, first), {model.output.name: np.asarray(outputs)[:items]}
