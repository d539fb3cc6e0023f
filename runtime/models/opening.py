"""The opening of a version of the store as a model in memory."""

from __future__ import annotations

from dataclasses import replace

from bundle.errors import BundleError
from bundle.folder import Bundle, open_bundle
from bundle.staging import locked
from bundle.triton import TritonConfig
from bundle.version import Version
from runtime.backends.opening import (
    OpenTensorFlow,
    open_backend,
    open_tensorflow,
)
from runtime.backends.options import BackendOptions
from runtime.models.model import Model
from runtime.process.memory import give_memory_back


def open_model(
    version: Version,
    options: BackendOptions,
    open_tensorflow: OpenTensorFlow = open_tensorflow,
) -> Model:
    """Open one version of the store.

    Args:
        version: the version.
        options: the options with which it is opened.
        open_tensorflow: the function that opens it in TensorFlow, where it is needed.

    Raises:
        BundleError: its folder is not a bundle.
        BackendError: no engine can open it.
        ProviderError: CUDA was demanded and does not work.
    """
    try:
        # The exporter replaces parity.json and model.onnx by two renames, and locks the
        # folder meanwhile. Between them the model would seem unproved.
        with locked(version.path, shared=True):
            return model_of(
                open_bundle(version.path),
                version.number,
                options,
                version.name,
                open_tensorflow,
            )
    except FileNotFoundError:
        raise BundleError("the version is not there any more") from None
    except OSError as ex:
        raise BundleError(f"the version cannot be read: {ex.strerror}") from ex


class Opener:
    """Opens versions of the store with the options that hold at the time.

    Args:
        options: the options with which they are opened.
        open_tensorflow: see ``open_model``.

    Attributes:
        options: the argument of this name; versions that are opened later heed new
            ones.
    """

    def __init__(
        self,
        options: BackendOptions,
        open_tensorflow: OpenTensorFlow = open_tensorflow,
    ) -> None:
        self.options = options
        self._open_tensorflow = open_tensorflow

    def __call__(self, version: Version) -> Model:
        """Open a version; see ``open_model``."""
        return open_model(version, self.options, self._open_tensorflow)


def _limited(options: BackendOptions, config: TritonConfig | None) -> BackendOptions:
    """Return options that keep the batch size of config.pbtxt.

    config.json's settings for a single model go before it.
    """
    if config is None or config.max_batch_size is None:
        return options
    if not config.max_batch_size:
        return replace(options, batching="off")
    size = min(options.max_batch_size, config.max_batch_size)
    return replace(options, max_batch_size=size)


def model_of(
    bundle: Bundle,
    version: int | None,
    options: BackendOptions,
    name: str | None = None,
    open_tensorflow: OpenTensorFlow = open_tensorflow,
) -> Model:
    """Open a bundle that is in the store; without a version, it is on its way there.

    See ``open_model``.
    """
    options = _limited(options, bundle.config).of(name or bundle.params.name)
    opened = open_backend(bundle, options, open_tensorflow)
    can_fall_back = (
        options.onnx == "prefer"
        and opened.backend.name == "onnxruntime"
        and bundle.tensorflow_model is not None
    )
    model = Model(
        bundle,
        version,
        opened,
        (lambda: open_tensorflow(bundle)) if can_fall_back else None,
        name=name,
        max_batch_size=options.max_batch_size,
        options=options,
    )
    give_memory_back()
    return model
