"""Opening a bundle in the engine that fits it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bundle.errors import BundleError
from bundle.folder import Bundle
from bundle.params import Params
from bundle.variants import Variant, onnx_file
from runtime.backends import Backend
from runtime.backends.options import BackendOptions
from runtime.backends.proof import FallbackCode, UnfitOnnx, check_proof
from runtime.errors import BackendError

if TYPE_CHECKING:
    from runtime.backends.saved_model import TensorFlowBackend

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A backend, and the reasons for its choice.

    Attributes:
        fallback_reason: the reason why it is not ONNX Runtime, which was preferred;
            else empty.
        fallback_code: the same reason in one word; ``off`` if ONNX Runtime is not
            wanted.
        is_proved: whether the model.onnx that it runs passed its parity check; None if
            it runs none.
        variant: the variant of model.onnx that it runs; None if it runs none.
        variant_reason: the reason why it is not the variant that was named; else empty.
    """

    backend: Backend
    fallback_reason: str = ""
    is_proved: bool | None = None
    fallback_code: FallbackCode = ""
    variant: Variant | None = None
    variant_reason: str = ""


def open_tensorflow(bundle: Bundle) -> TensorFlowBackend:
    """Open a bundle's frozen graph or SavedModel in TensorFlow, in this process.

    Raises:
        BackendError: TensorFlow is not installed, or cannot load the model.
    """
    if bundle.frozen_graph is None:
        from runtime.backends.saved_model import SavedModelBackend

        return SavedModelBackend(bundle.path, ranges=bundle.params.ranges)
    from runtime.backends.frozen_graph import FrozenGraphBackend

    return FrozenGraphBackend(
        bundle.frozen_graph,
        (bundle.params.input_node,),
        (bundle.params.output_node,),
        _told_shape(bundle.params),
        bundle.params.ranges,
    )


# A function that opens a bundle in TensorFlow: here, or in a process of its own.
OpenTensorFlow = Callable[[Bundle], Backend]


def open_backend(
    bundle: Bundle,
    options: BackendOptions,
    open_tensorflow: OpenTensorFlow = open_tensorflow,
) -> Opened:
    """Open a bundle in ONNX Runtime, or in TensorFlow where ONNX cannot.

    It takes the variant that params.json names, or else the options. If that variant
    cannot be served, or must not be, it takes model.onnx.

    Args:
        bundle: the opened bundle.
        options: the options with which it is opened.
        open_tensorflow: the function that opens it in TensorFlow.

    Raises:
        BundleError: the bundle is to blame.
        BackendError: no engine can open it; the sentence gives the reason of each.
        ProviderError: CUDA was demanded and does not work.
    """
    if options.onnx == "off":
        return Opened(open_tensorflow(bundle), fallback_code="off")
    wanted = bundle.params.variant or options.variant
    variant_reason = ""
    if wanted != "fp32":
        try:
            check_proof(bundle, wanted)
            backend = _open_onnx(bundle, options, wanted)
            return Opened(backend, is_proved=True, variant=wanted)
        except (BundleError, BackendError) as ex:
            logger.debug("%s: no %s", bundle.params.name, wanted, exc_info=True)
            variant_reason = str(ex)
    try:
        is_proved = check_proof(bundle)
        return Opened(
            _open_onnx(bundle, options),
            is_proved=is_proved,
            fallback_code="variant" if variant_reason else "",
            variant="fp32",
            variant_reason=variant_reason,
        )
    except (BundleError, BackendError) as ex:
        # People get the reason; the engine's own words go to the log.
        logger.debug("%s: no ONNX", bundle.params.name, exc_info=True)
        reason = str(ex)
        code = ex.code if isinstance(ex, UnfitOnnx) else "unloadable"
    if options.onnx == "require":
        raise BackendError(f"{reason}; config.json's 'onnx' is 'require'")
    if bundle.tensorflow_model is None:
        raise BundleError(f"{reason}; and there is no saved_model.pb to fall back to")
    try:
        backend = open_tensorflow(bundle)
        if backend.warning:
            reason = f"{reason}; {backend.warning}"
        return Opened(
            backend, reason, fallback_code=code, variant_reason=variant_reason
        )
    except BackendError as ex:
        raise BackendError(f"{reason}; and {ex}") from ex


def _told_shape(params: Params) -> tuple[int | None, ...] | None:
    """Return the input's shape, as far as params.json tells it."""
    if params.img_channels:
        height, width = params.preprocess.size or (None, None)
        return (None, height, width, params.img_channels)
    return (None, len(params.features)) if params.features else None


def _open_onnx(
    bundle: Bundle, options: BackendOptions, variant: Variant = "fp32"
) -> Backend:
    from runtime.backends.onnx import open_onnx

    return open_onnx(bundle.path / onnx_file(variant), options, bundle.params.ranges)
