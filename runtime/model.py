"""A model in memory: one version of a bundle, and the engine that answers for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import BundleError, ShapeError
from bundle.folder import Bundle, open_bundle
from bundle.preprocess import preprocess
from bundle.store import Version
from runtime.backends import (
    Backend,
    BackendOptions,
    Opened,
    TensorSpec,
    open_backend,
    open_saved_model,
)
from runtime.errors import BackendError

logger = logging.getLogger(__name__)


class Model:
    """One version, opened and warmed; safe to use from several threads.

    Args:
        bundle: what it was opened from.
        version: its number in the store.
        opened: the engine, and why it is not the preferred one.
        open_fallback: opens the engine that answers a request on which ``opened``
            fails; None if there is none.
    """

    def __init__(
        self,
        bundle: Bundle,
        version: int,
        opened: Opened,
        open_fallback: Callable[[], Backend] | None,
    ) -> None:
        self.bundle = bundle
        self.version = version
        self.backend = opened.backend
        self.fallback_reason = opened.fallback_reason
        self.is_proved = opened.is_proved
        self._open_fallback = open_fallback
        self._fallback: Backend | None = None
        self._lock = threading.Lock()
        self.output = _main_output(bundle, self.backend.outputs)
        _check_labels(bundle, self.output)

    def to_input(self, image: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Bring one decoded image, ``(H, W, C)`` uint8, to a batch of one.

        Raises:
            ShapeError: the model takes no images, or none of this kind.
        """
        if len(self.backend.inputs) != 1:
            raise ShapeError("the model takes several inputs, and no image alone")
        (spec,) = self.backend.inputs
        if len(spec.shape) != 4:
            raise ShapeError("the model takes no images: its input is not (N, H, W, C)")
        _, height, width, channels = spec.shape
        shape = (height, width, channels)
        item = preprocess(image, self.bundle.params.preprocess, shape, spec.dtype)
        return {spec.name: item[np.newaxis]}  # (1, H, W, C)

    def run(
        self, inputs: Mapping[str, NDArray[Any]]
    ) -> tuple[dict[str, NDArray[Any]], Backend]:
        """Run one batch; the answer, and the engine that gave it.

        Raises:
            ShapeError: the inputs are not the model's.
            BackendError: the engine failed, and so did the one to fall back to.
        """
        backend = self.backend
        try:
            return backend.run(inputs), backend
        except BackendError as ex:
            if self._open_fallback is None:
                raise
            logger.warning(
                "%s version %d: %s; TensorFlow answers this request",
                self.bundle.params.name,
                self.version,
                ex,
            )
        backend = self._get_fallback(self._open_fallback)
        return backend.run(inputs), backend

    def _get_fallback(self, open_fallback: Callable[[], Backend]) -> Backend:
        with self._lock:
            if self._fallback is None:
                self._fallback = open_fallback()
            return self._fallback


def open_model(version: Version, options: BackendOptions) -> Model:
    """Open one version of the store.

    Raises:
        BundleError: its folder is no bundle.
        BackendError: no engine can open it.
    """
    return model_of(open_bundle(version.path), version.number, options)


def model_of(bundle: Bundle, number: int, options: BackendOptions) -> Model:
    """Open a bundle, in the store or on its way there; see ``open_model``."""
    opened = open_backend(bundle, options)
    can_fall_back = (
        options.onnx == "prefer"
        and opened.backend.name == "onnxruntime"
        and bundle.has_saved_model
    )
    return Model(
        bundle,
        number,
        opened,
        (lambda: open_saved_model(bundle)) if can_fall_back else None,
    )


def _main_output(bundle: Bundle, outputs: tuple[TensorSpec, ...]) -> TensorSpec:
    """The output that image predictions answer with: the one params.json names."""
    if not outputs:
        raise BundleError("the model has no output")
    named = {spec.name: spec for spec in outputs}
    return named.get(bundle.params.output_node, outputs[0])


def _check_labels(bundle: Bundle, output: TensorSpec) -> None:
    """A wrong labels.txt would put the right answer under a wrong name."""
    classes = output.shape[-1] if output.shape else None
    if bundle.labels and classes not in (None, len(bundle.labels)):
        raise BundleError(
            f"{bundle.params.labels} names {len(bundle.labels)} classes and the model"
            f" has {classes}"
        )
