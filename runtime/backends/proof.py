"""The proof of a bundle's model.onnx: whether it may be served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bundle.errors import BundleError
from bundle.folder import Bundle
from bundle.manifest import onnx_digest, source_digest
from bundle.parity import read_parity
from bundle.variants import Variant, onnx_file, parity_file

# The reason why TensorFlow serves a model, in one word for the metrics; empty where
# ONNX Runtime does.
# ``live_parity``: ONNX Runtime served it until it answered a request otherwise.
# ``variant``: ONNX Runtime serves it, but model.onnx and not the variant that is named.
FallbackCode = Literal[
    "",
    "missing",
    "unreadable",
    "parity_failed",
    "unproved_file",
    "unloadable",
    "off",
    "live_parity",
    "variant",
]


class UnfitOnnx(BundleError):
    """A bundle's model.onnx, or a variant of it, may not be served."""

    def __init__(self, code: FallbackCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


# These commands make a missing file.
_MADE_BY: Mapping[Variant, str] = {
    "fp32": "exporter convert",
    "fp16": "exporter convert --fp16",
    "int8": "exporter convert --quantize int8",
}


def check_proof(bundle: Bundle, variant: Variant = "fp32") -> bool:
    """Tell whether a bundle's model.onnx was proved; raise if it may not be served.

    A model.onnx without any parity.json may be served: somebody made it elsewhere, and
    it is shown as unproved. A variant without its proof may not: its answers differ by
    its nature, and the proof alone tells by how much.

    Raises:
        UnfitOnnx: model.onnx is missing, failed its parity check, or is another file
            than the one that was proved.
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
    # A bundle that holds ONNX alone has no SavedModel to compare with.
    if graph and parity.saved_model and source != parity.saved_model:
        raise UnfitOnnx(
            "unproved_file",
            f"{file} was proved against another {graph.name}"
            + (", or other nodes of it" if bundle.nodes else ""),
        )
    return True
