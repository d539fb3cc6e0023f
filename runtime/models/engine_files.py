"""The files of a bundle that its engine reads, which are mostly weights."""

from __future__ import annotations

from bundle.errors import BundleError
from bundle.folder import Bundle
from bundle.variants import Variant, onnx_file
from runtime.backends import Backend


def bytes_of(bundle: Bundle, backend: Backend, variant: Variant | None) -> int:
    """Return the bytes of the files that an engine reads.

    Args:
        bundle: the bundle.
        backend: the engine that was opened from it.
        variant: the variant that it runs; None if it runs no ONNX, or this is unknown.

    Raises:
        BundleError: the folder cannot be read.
    """
    if backend.name == "tensorflow" and bundle.tensorflow_model:
        patterns = [bundle.tensorflow_model.name, "variables/**/*"]
    elif variant not in (None, "fp32"):
        patterns = [f"{onnx_file(variant)}*"]
    else:
        # ONNX's external data may have any name; these are the names that common
        # exporters give it.
        patterns = [f"{onnx_file('fp32')}*", "*.data", "*.bin"]
    try:
        found = {path for pattern in patterns for path in bundle.path.glob(pattern)}
        return sum(path.stat().st_size for path in found if path.is_file())
    except OSError as ex:
        raise BundleError(f"the bundle cannot be read: {ex.strerror}") from ex
