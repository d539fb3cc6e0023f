"""Add a proved model.onnx to a bundle, or to any SavedModel's folder."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import BundleError
from bundle.folder import ONNX, SAVED_MODEL, Bundle, open_bundle
from bundle.manifest import source_digest
from bundle.params import FILE_NAME as PARAMS
from bundle.params import Preprocess
from bundle.parity import FILE_NAME as PARITY
from bundle.parity import Parity
from bundle.staging import locked, replace_file
from bundle.terminal import quiet_stderr
from bundle.variants import EXPORTED, onnx_file, parity_file
from exporter.errors import ExportError, ParityFailed, VariantRefused
from exporter.options import DEFAULTS, Options
from runtime.backends import BackendOptions, open_tensorflow
from runtime.errors import BackendError

if TYPE_CHECKING:
    from exporter.variants import Made


@dataclass(frozen=True)
class _Source:
    """What is converted.

    Attributes:
        graph: saved_model.pb, or a frozen graph.
        bundle: that it is of; None of a SavedModel without params.json.
    """

    graph: Path
    bundle: Bundle | None

    def digest(self) -> str:
        return source_digest(self.graph, self.bundle.nodes if self.bundle else ())


def export(folder: Path, options: Options = DEFAULTS) -> Parity:
    """Convert a SavedModel or frozen graph, prove the result, then write it beside.

    parity.json is written first and model.onnx last, each by one rename: what is killed
    in between leaves a model.onnx that no parity.json proves, and that is not served.

    Args:
        folder: a bundle, or a SavedModel without params.json.
        options: what of it may be chosen.

    Returns:
        The proof, as written to parity.json.

    Raises:
        BundleError: the folder holds no TensorFlow model, or cannot be written.
        ExportError: it cannot be loaded or converted; a model.onnx that was there
            stays.
        ParityFailed: it answers otherwise; no model.onnx is left, parity.json says why.
        VariantRefused: model.onnx was written, and a variant that was asked for was
            not; one that was there before is gone.
    """
    source = _open(folder)
    # Asked first: a conversion may take minutes.
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BundleError(f"{folder} is not writable, and model.onnx belongs there")
    # Before TensorFlow is imported, or it takes no notice.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if options.verbose else "3")
    try:
        with (
            quiet_stderr(not options.verbose),
            tempfile.TemporaryDirectory() as scratch,
        ):
            candidate = Path(scratch, ONNX)
            parity, variants = _convert_and_prove(source, candidate, options)
            _write(source, candidate, parity, variants)
    except OSError as ex:
        raise ExportError(f"the ONNX cannot be written: {ex.strerror}") from ex
    if refusals := [made.refusal for made in variants if made.refusal]:
        raise VariantRefused(parity, refusals)
    return parity


def _write(
    source: _Source, candidate: Path, parity: Parity, variants: Sequence[Made]
) -> None:
    folder = source.graph.parent
    # Alone: two exports at a time would pair one's parity.json with the other's
    # model.onnx, and a service that reads in between would find none proved.
    with locked(folder):
        # Deleted and uploaded again, or trained again, while it was converted: the
        # weights that were proved are not those that lie there.
        if source.digest() != parity.saved_model:
            raise ExportError(
                "the bundle was replaced while it was converted; nothing was written,"
                " convert it again"
            )
        for name in EXPORTED:
            # Temporary files of one that was killed.
            for left in folder.glob(f".{name}.*"):
                left.unlink()
        if not parity.passed:
            (folder / ONNX).unlink(missing_ok=True)
        replace_file(folder / PARITY, _to_json(parity))
        if not parity.passed:
            raise ParityFailed(parity)
        for made in variants:
            _write_variant(folder, made)
        replace_file(folder / ONNX, candidate.read_bytes())


def _write_variant(folder: Path, made: Made) -> None:
    # In between, a proof of another file is there: that file is not served.
    path, proof = folder / onnx_file(made.variant), folder / parity_file(made.variant)
    if made.refusal or made.parity is None:
        path.unlink(missing_ok=True)
        proof.unlink(missing_ok=True)
        return
    replace_file(proof, _to_json(made.parity))
    replace_file(path, made.path.read_bytes())


def _open(folder: Path) -> _Source:
    if (folder / PARAMS).is_file():
        bundle = open_bundle(folder)
        if bundle.tensorflow_model is None:
            raise BundleError(f"{SAVED_MODEL} is missing: there is nothing to convert")
        return _Source(bundle.tensorflow_model, bundle)
    if not (folder / SAVED_MODEL).is_file():
        raise BundleError(
            f"{folder} is neither a bundle nor a SavedModel: it has no {SAVED_MODEL}"
        )
    return _Source(folder / SAVED_MODEL, None)


def _convert_and_prove(
    source: _Source, candidate: Path, options: Options
) -> tuple[Parity, list[Made]]:
    # TensorFlow's chatter begins at its import, so that is behind quiet_stderr too.
    from exporter.convert import convert
    from exporter.metadata import write_metadata
    from exporter.parity import prove
    from exporter.ranges import index_ranges
    from exporter.variants import make_variants
    from runtime.backends.onnx import open_onnx
    from runtime.backends.saved_model import SavedModelBackend

    bundle = source.bundle
    how = bundle.params.preprocess if bundle else Preprocess()
    sample = bundle.read_sample() if bundle else None
    digest = source.digest()
    try:
        tensorflow = (
            open_tensorflow(bundle)
            if bundle
            else SavedModelBackend(source.graph.parent)
        )
    except BackendError as ex:
        raise ExportError(str(ex)) from ex
    model = convert(tensorflow.signature, options)
    write_metadata(model, options, bundle)
    ranges = index_ranges(model)
    candidate.write_bytes(model.SerializeToString())
    try:
        onnx = open_onnx(candidate, BackendOptions(provider="cpu"))
        parity = prove(tensorflow, onnx, candidate, how, sample, digest, ranges)
    except BackendError as ex:
        raise ExportError(f"the ONNX cannot be proved: {ex}") from ex
    if not parity.passed:
        return parity, []
    params = bundle.params if bundle else None
    return parity, make_variants(
        candidate,
        tensorflow,
        options,
        sample,
        params,
        candidate.parent,
        digest,
        ranges,
    )


def _to_json(parity: Parity) -> bytes:
    return (json.dumps(parity.to_json(), indent=2) + "\n").encode()
