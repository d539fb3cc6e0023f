"""The seam between the service and the engines: one model, loaded, in one engine.

Nothing here, and nothing behind it, knows of HTTP. The engines are imported when a
model needs them: a process that serves from ONNX Runtime never imports TensorFlow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bundle.errors import BundleError, ShapeError
from bundle.folder import Bundle
from bundle.manifest import onnx_digest, source_digest
from bundle.params import Params
from bundle.parity import read_parity
from bundle.variants import Variant, onnx_file, parity_file
from runtime.config import Batching, OnnxPolicy, Provider
from runtime.errors import BackendError

if TYPE_CHECKING:
    from runtime.backends.saved_model import TensorFlowBackend

logger = logging.getLogger(__name__)

# Of one input of one item, or of a fixed batch: a 4096 x 4096 picture in colour has
# fewer. What claims more would take the service's memory at its first run.
MAX_NUMBERS = 1 << 26
# What is tried for an axis that the model leaves free; of an image it is a side.
WARMED_SIDE = 32


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: as in the SavedModel's serving signature, or of a frozen graph's node.
        dtype: numpy's; ``object`` for strings.
        shape: None for a free axis.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class BackendOptions:
    """How models are opened.

    Attributes:
        onnx: ``prefer``, ``require`` or ``off``; see config.json's ``onnx``.
        provider: ``auto``, ``cpu`` or ``cuda``.
        variant: of model.onnx, where params.json names none.
        max_batch_size: items in one run; a model is warmed with so many.
        batching: whether requests are run together; see ``runtime.batching``.
        max_queue: requests that may wait for a batch.
        max_queue_delay_us: how long a batch waits to be full.
        intra_op_threads: of one run in ONNX Runtime; 0 is one a core.
        threads: of this process, that may ask a model at once.
        models: of single models, by their names, some of these fields.
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
        """These, with what is set for one model."""
        return replace(self, **self.models.get(name, {}))


class Backend(Protocol):
    """One model, loaded, in one engine; safe to call from several threads.

    Its memory is freed when the last request that holds it has ended.
    """

    @property
    def name(self) -> str:
        """The engine: ``onnxruntime`` or ``tensorflow``."""

    @property
    def device(self) -> str:
        """What really runs it: ``CPUExecutionProvider``, …, or ``cpu``."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs, as the signature names them, or the frozen graph's node."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs, as the signature names them, or the frozen graph's node."""

    @property
    def warning(self) -> str:
        """A sentence that people should know of its answers; empty if there is none."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One batch, ``(N, …)`` each, by name.

        Raises:
            ShapeError: an input is missing, unknown, or has another dtype or shape.
            BackendError: the engine failed all the same.
        """


# Why TensorFlow serves a model, in one word for the metrics; empty where it does not.
# ``variant``: ONNX Runtime serves it, but model.onnx and not the variant that is named.
FallbackCode = Literal[
    "",
    "missing",
    "unreadable",
    "parity_failed",
    "unproved_file",
    "unloadable",
    "off",
    "variant",
]


class UnfitOnnx(BundleError):
    """A bundle's model.onnx, or a variant of it, may not be served."""

    def __init__(self, code: FallbackCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class InputRefused(BackendError):
    """The model runs, and does not take this input: an index without a row, say.

    Args:
        sentence: which engine says so.
        is_of_shapes: the engine says that two shapes do not meet.
    """

    def __init__(self, sentence: str, *, is_of_shapes: bool = False) -> None:
        super().__init__(sentence)
        self.is_of_shapes = is_of_shapes


def engine_of(backend: Backend) -> str:
    """``engine/device``, as replies and logs name it."""
    return f"{backend.name}/{backend.device}"


@dataclass(frozen=True)
class Opened:
    """A backend, and how it came to be the one.

    Attributes:
        fallback_reason: why it is not ONNX Runtime, which was preferred; else empty.
        fallback_code: the same in a word; ``off`` if ONNX Runtime is not wanted.
        is_proved: whether the model.onnx it runs passed its parity check; None if it
            runs none.
        variant: of model.onnx, the one that it runs; None if it runs none.
        variant_reason: why it is not the one that was named; else empty.
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
        BackendError: TensorFlow is not installed, or cannot load it.
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


# Opens a bundle in TensorFlow: here, or in a process of its own.
OpenTensorFlow = Callable[[Bundle], Backend]


def open_backend(
    bundle: Bundle,
    options: BackendOptions,
    open_tensorflow: OpenTensorFlow = open_tensorflow,
) -> Opened:
    """Open a bundle in ONNX Runtime, or in TensorFlow where ONNX cannot.

    Of ONNX it is the variant that params.json names, or else the options; model.onnx
    where that one cannot, or may not, be served.

    Args:
        bundle: opened.
        options: how.
        open_tensorflow: opens it in TensorFlow.

    Raises:
        BundleError: the bundle is to blame.
        BackendError: no engine can open it; the sentence tells why of each.
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
        # The reason goes to people; what the engine said of it, to the log.
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


# What is missing is made by this.
_MADE_BY: Mapping[Variant, str] = {
    "fp32": "exporter convert",
    "fp16": "exporter convert --fp16",
    "int8": "exporter convert --quantize int8",
}


def check_proof(bundle: Bundle, variant: Variant = "fp32") -> bool:
    """Whether a bundle's model.onnx was proved; one that may not be served raises.

    A model.onnx without any parity.json may be served: somebody made it elsewhere, and
    it is shown as unproved. A variant may not: it answers otherwise by its nature, and
    its proof alone tells by how much.

    Raises:
        UnfitOnnx: it is missing, failed its parity check, or is another file than the
            one that was proved.
    """
    file, proof = onnx_file(variant), parity_file(variant)
    try:
        parity = read_parity(bundle.path, proof)
    except BundleError as ex:
        raise UnfitOnnx("unreadable", str(ex)) from ex
    if parity is not None and not parity.passed:
        raise UnfitOnnx("parity_failed", f"{file} failed its parity check")
    try:
        if bundle.find_onnx(variant) is None:
            raise UnfitOnnx(
                "missing", f"there is no {file}; make it with: {_MADE_BY[variant]}"
            )
        if parity is None and variant != "fp32":
            raise UnfitOnnx("unproved_file", f"there is no {proof} that proves {file}")
        if parity is None:
            return False
        digest = onnx_digest(bundle.path / file)
        graph = bundle.tensorflow_model
        source = source_digest(graph, bundle.nodes) if graph else ""
    except OSError as ex:
        raise UnfitOnnx("unreadable", f"{file} cannot be read: {ex.strerror}") from ex
    if digest != parity.sha256:
        raise UnfitOnnx("unproved_file", f"{file} is not the one that {proof} proved")
    # A bundle of ONNX alone has left its SavedModel behind.
    if graph and parity.saved_model and source != parity.saved_model:
        raise UnfitOnnx(
            "unproved_file",
            f"{file} was proved against another {graph.name}"
            + (", or other nodes of it" if bundle.nodes else ""),
        )
    return True


def _told_shape(params: Params) -> tuple[int | None, ...] | None:
    """The input's shape, as far as params.json tells it."""
    if params.img_channels:
        height, width = params.preprocess.size or (None, None)
        return (None, height, width, params.img_channels)
    return (None, len(params.features)) if params.features else None


def _open_onnx(
    bundle: Bundle, options: BackendOptions, variant: Variant = "fp32"
) -> Backend:
    from runtime.backends.onnx import open_onnx

    return open_onnx(bundle.path / onnx_file(variant), options, bundle.params.ranges)


def check_names(specs: tuple[TensorSpec, ...], inputs: Mapping[str, object]) -> None:
    """Compare the names of inputs with a model's.

    Raises:
        ShapeError: an input is missing or unknown.
    """
    names = [spec.name for spec in specs]
    if inputs.keys() == set(names):
        return
    if unknown := sorted(inputs.keys() - set(names)):
        raise ShapeError(
            f"the model has no input {unknown[0][:128]!r}; its inputs are"
            f" {', '.join(names)}"
        )
    if missing := [name for name in names if name not in inputs]:
        raise ShapeError(f"input {missing[0]!r} is missing")


def check_inputs(
    specs: tuple[TensorSpec, ...], inputs: Mapping[str, NDArray[Any]]
) -> None:
    """Compare named arrays with a model's inputs.

    Raises:
        ShapeError: names what was expected and what came.
    """
    check_names(specs, inputs)
    for spec in specs:
        array = inputs[spec.name]
        if not _fits(array.shape, spec.shape):
            raise ShapeError(
                f"input {spec.name!r} has shape {shown(array.shape)} and the model"
                f" takes {shown(spec.shape)}"
            )
        if array.dtype != spec.dtype:
            raise ShapeError(
                f"input {spec.name!r} is {array.dtype} and the model takes {spec.dtype}"
            )
        if array.ndim and not array.shape[0]:
            raise ShapeError(f"input {spec.name!r} is an empty batch")


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    # A loop: on every request ``all`` of a generator takes twice as long.
    for got, side in zip(shape, wanted, strict=False):
        if side is not None and got != side:
            return False
    return len(shape) == len(wanted)


def has_free_axes(specs: tuple[TensorSpec, ...]) -> bool:
    """Whether an axis besides the batch has no size of its own."""
    return any(None in spec.shape[1:] for spec in specs)


def shown(shape: tuple[int | None, ...]) -> str:
    """A shape for people; ``any`` is a free axis."""
    return f"({', '.join('any' if n is None else str(n) for n in shape)})"
