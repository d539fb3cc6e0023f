"""ONNX Runtime, on CUDA or on the CPU.

A model.onnx may take pictures as ``(N, C, H, W)``; its metadata names those inputs.
Requests, preprocessing and TensorFlow have ``(N, H, W, C)``, and so has the backend.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from runtime.backends import InputRefused, TensorSpec
from runtime.backends.options import BackendOptions
from runtime.backends.tensors import check_inputs
from runtime.backends.warming import Ranges, warm_up
from runtime.errors import BackendError, ProviderError
from runtime.process.cores import usable_cores

logger = logging.getLogger(__name__)

# The metadata's key for these inputs. Its value is their names, separated by commas.
# The exporter writes it.
NCHW_INPUTS = "nchw_inputs"

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

# TF32 rounds the factors of float32 products to 10 bits, and ONNX Runtime uses it by
# default. ResNet-50's scores were 7e-4 off the CPU's with it, and are 9e-7 off without
# it (docs/performance.md). The exporter's proof promises the latter.
_CUDA_OPTIONS = {"use_tf32": "0"}

# After a run with inputs of more bytes than this, its memory is given back: a network's
# layers take ten to fifty times as much. A photo of 224 x 224 pixels has 0.6 MB.
LARGE_BYTES = 2 << 20

# The classes of ONNX Runtime's errors that an input may be to blame for.
_REFUSALS = frozenset({"InvalidArgument", "Fail", "RuntimeException"})
_AT_NODE = re.compile(r"while running (\w+) node")
# These words mean that no input is to blame: memory, the GPU or its libraries failed.
_OF_MACHINE = re.compile(r"allocat|CUDA|CUDNN|CUBLAS", re.IGNORECASE)
# These fail where shapes do not meet, whatever the numbers are.
_OF_SHAPES = frozenset(
    {"Add", "Concat", "Conv", "ConvTranspose", "Div", "Einsum", "Gemm", "MatMul", "Mul"}
    | {"Reshape", "Sub"}
)

# ONNX Runtime writes its own lines to standard error, not to our log, and they repeat
# the text of its exceptions. 4 is "fatal".
onnxruntime.set_default_logger_severity(4)

# ONNX Runtime's names of element types. A type that is missing here (sequences, maps)
# is no tensor that a request could carry.
_DTYPES = {
    "tensor(bool)": np.dtype(np.bool_),
    "tensor(double)": np.dtype(np.float64),
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(int16)": np.dtype(np.int16),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(string)": np.dtype(object),
    "tensor(uint16)": np.dtype(np.uint16),
    "tensor(uint32)": np.dtype(np.uint32),
    "tensor(uint64)": np.dtype(np.uint64),
    "tensor(uint8)": np.dtype(np.uint8),
}


def open_onnx(
    path: Path, options: BackendOptions, ranges: Ranges | None = None
) -> OnnxBackend:
    """Open a model on the provider that is asked for: CUDA if it works, else the CPU.

    Args:
        path: the ``model.onnx``.
        options: the options with which it is opened.
        ranges: see ``OnnxBackend``.

    Raises:
        BackendError: the model cannot be loaded, or cannot run.
        ProviderError: CUDA was demanded and does not work.
    """
    threads = options.intra_op_threads or usable_cores()
    if options.provider == "cuda":
        require_cuda()
    if options.provider == "cpu" or CUDA not in onnxruntime.get_available_providers():
        return OnnxBackend(path, CPU, threads, ranges)
    # A listed provider tells no more than that the wheel was built with it.
    onnxruntime.preload_dlls()
    try:
        return OnnxBackend(path, CUDA, threads, ranges)
    except BackendError as ex:
        if options.provider == "cuda":
            raise ProviderError(f"CUDA does not work: {ex}; {_HINT}") from ex
        logger.warning("CUDA does not work (%s); the CPU serves", ex, exc_info=ex)
    return OnnxBackend(path, CPU, threads, ranges)


def require_cuda() -> None:
    """Check that this onnxruntime is built with CUDA; a service asks when it starts.

    Raises:
        ProviderError: it is built without CUDA.
    """
    if CUDA not in onnxruntime.get_available_providers():
        raise ProviderError(f"this onnxruntime is built without CUDA; {_HINT}")


_HINT = (
    "config.json's 'provider' is 'cuda': install onnxruntime-gpu as docs/installing.md"
    " says under 'On a GPU', or set it to 'auto'"
)


class OnnxBackend:
    """One ``model.onnx`` in one session; several threads may run the session at once.

    Args:
        path: the ``model.onnx``.
        provider: the provider that must run it.
        threads: the threads that one run takes. One is best: two make a small model
            slower, and the server's other threads keep the other cores busy. Without a
            number ONNX Runtime takes all cores of the host, also in a container.
        ranges: the ranges from which inputs are warmed; see ``warm_up``.

    Raises:
        BackendError: the model cannot be loaded or run there.
    """

    name = "onnxruntime"
    warning = ""

    def __init__(
        self,
        path: Path,
        provider: str,
        threads: int = 1,
        ranges: Ranges | None = None,
    ) -> None:
        self._session = _session(path, provider, threads)
        # Where CUDA's libraries are missing, ONNX Runtime leaves CUDA out and writes
        # only a line to standard error. Without cuDNN the first run fails. So the
        # provider is asked for, and the model is run.
        self.device = self._session.get_providers()[0]
        if self.device != provider:
            raise BackendError(f"the libraries of {provider} cannot be loaded")
        try:
            inputs = tuple(_spec(node) for node in self._session.get_inputs())
            self.outputs = tuple(_spec(node) for node in self._session.get_outputs())
            self._nchw_inputs = _nchw_inputs(self._session, inputs)
        except UnicodeDecodeError as ex:  # ONNX Runtime takes any bytes
            raise BackendError(f"{path.name} has a name that is not UTF-8") from ex
        self.inputs = tuple(
            _to_nhwc(spec) if spec.name in self._nchw_inputs else spec
            for spec in inputs
        )
        self._output_names = [spec.name for spec in self.outputs]
        # The arena keeps the memory that the largest run took: after 32 photos,
        # MobileNetV2's held 335 MB. A model with free sizes gives it back after each
        # run. Other models give it back once, after the first large batch, which is the
        # warm-up's. To fetch it anew costs a run a third of its time, and a client that
        # sends such batches should not pay for that each time.
        self._keeping = onnxruntime.RunOptions()
        self._shrinking = onnxruntime.RunOptions()
        self._shrinking.add_run_config_entry(
            "memory.enable_memory_arena_shrinkage", "cpu:0"
        )
        self._has_free_sizes = any(None in spec.shape[1:] for spec in self.inputs)
        self._was_large = False
        # Most models have one input with one free axis, N.
        self._plain = self._plain_input()
        warm_up(self, ranges)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """See ``Backend.run``."""
        plain = self._plain
        if (
            plain is not None
            and len(inputs) == 1
            and (array := inputs.get(plain.name)) is not None
            and array.shape[1:] == plain.shape[1:]
            and array.dtype == plain.dtype
            and 0 < array.nbytes <= LARGE_BYTES
        ):
            feeds, options = inputs, self._keeping
        else:
            check_inputs(self.inputs, inputs)
            feeds = {
                name: array.transpose(0, 3, 1, 2)
                if name in self._nchw_inputs
                else array
                for name, array in inputs.items()
            }
            options = self._options(feeds)
        try:
            arrays = self._session.run(self._output_names, feeds, options)
        # onnxruntime's exceptions have no common base but Exception.
        except Exception as ex:
            raise self._failure(ex) from ex
        return dict(zip(self._output_names, arrays, strict=True))

    def _plain_input(self) -> TensorSpec | None:
        if len(self.inputs) != 1 or self._nchw_inputs or self._has_free_sizes:
            return None
        (spec,) = self.inputs
        return spec if spec.shape and spec.shape[0] is None else None

    def _failure(self, ex: Exception) -> BackendError:
        """Tell whether the model refuses this input or cannot run here at all."""
        sentence = "ONNX Runtime failed on this input"
        failed = _AT_NODE.search(str(ex))
        is_refused = type(ex).__name__ in _REFUSALS and failed is not None
        if not is_refused or _OF_MACHINE.search(str(ex)):
            return BackendError(sentence)
        return InputRefused(
            f"the model does not take these values: {sentence}",
            is_of_shapes=failed is not None and failed[1] in _OF_SHAPES,
        )

    def _options(self, feeds: Mapping[str, NDArray[Any]]) -> onnxruntime.RunOptions:
        if self._has_free_sizes:
            return self._shrinking
        if self._was_large:
            return self._keeping
        self._was_large = sum(array.nbytes for array in feeds.values()) > LARGE_BYTES
        return self._shrinking if self._was_large else self._keeping


def _session(path: Path, provider: str, threads: int) -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 4
    # Spinning saves microseconds and takes whole cores, which other requests need.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Operators that CUDA lacks (mostly of shapes) need the CPU's provider too.
    providers = [CPU] if provider == CPU else [(provider, _CUDA_OPTIONS), CPU]
    try:
        # enable_fallback=0 lets a failed run raise; else ONNX Runtime opens the session
        # again on the CPU and says nothing.
        return onnxruntime.InferenceSession(
            str(path), settings, providers=providers, enable_fallback=0
        )
    except Exception as ex:
        raise BackendError(f"ONNX Runtime cannot load {path.name}") from ex


def _spec(node: onnxruntime.NodeArg) -> TensorSpec:
    try:
        dtype = _DTYPES[node.type]
    except KeyError:
        raise BackendError(
            f"{node.name!r} is a {node.type}, which no request can carry"
        ) from None
    # A free axis is None or has a name.
    shape = tuple(n if isinstance(n, int) else None for n in node.shape)
    return TensorSpec(node.name, dtype, shape)


def _nchw_inputs(
    session: onnxruntime.InferenceSession, inputs: tuple[TensorSpec, ...]
) -> frozenset[str]:
    text = session.get_modelmeta().custom_metadata_map.get(NCHW_INPUTS, "")
    names = frozenset(filter(None, text.split(",")))
    if names - {spec.name for spec in inputs if len(spec.shape) == 4}:
        raise BackendError(
            f"the ONNX's metadata {NCHW_INPUTS!r} names what is no input of 4 axes"
        )
    return names


def _to_nhwc(spec: TensorSpec) -> TensorSpec:
    batch, channels, height, width = spec.shape
    return TensorSpec(spec.name, spec.dtype, (batch, height, width, channels))
