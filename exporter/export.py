"""Add a proved model.onnx to a bundle, or to any SavedModel's folder."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import BundleError
from bundle.folder import ONNX, SAVED_MODEL, Bundle, open_bundle
from bundle.manifest import source_digest
from bundle.params import FILE_NAME as PARAMS
from bundle.params import Preprocess
from bundle.parity import FILE_NAME as PARITY
from bundle.parity import Parity
from bundle.staging import locked, replace_file
from bundle.terminal import quiet_stderr
from exporter.errors import ExportError, ParityFailed
from runtime.backends import BackendOptions, open_tensorflow
from runtime.errors import BackendError


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


def export(folder: Path, *, verbose: bool = False) -> Parity:
    """Convert a SavedModel or frozen graph, prove the result, then write it beside.

    parity.json is written first and model.onnx last, each by one rename: what is killed
    in between leaves a model.onnx that no parity.json proves, and that is not served.

    Args:
        folder: a bundle, or a SavedModel without params.json.
        verbose: let TensorFlow and tf2onnx chatter.

    Returns:
        The proof, as written to parity.json.

    Raises:
        BundleError: the folder holds no TensorFlow model, or cannot be written.
        ExportError: it cannot be loaded or converted; a model.onnx that was there
            stays.
        ParityFailed: it answers otherwise; no model.onnx is left, parity.json says why.
    """
    source = _open(folder)
    # Asked first: a conversion may take minutes.
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BundleError(f"{folder} is not writable, and model.onnx belongs there")
    # Before TensorFlow is imported, or it takes no notice.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose else "3")
    try:
        with quiet_stderr(not verbose), tempfile.TemporaryDirectory() as scratch:
            candidate = Path(scratch, ONNX)
            parity = _convert_and_prove(source, candidate, verbose)
            _write(source, candidate, parity)
    except OSError as ex:
        raise ExportError(f"the ONNX cannot be written: {ex.strerror}") from ex
    return parity


def _write(source: _Source, candidate: Path, parity: Parity) -> None:
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
        for name in (PARITY, ONNX):
            # Temporary files of one that was killed.
            for left in folder.glob(f".{name}.*"):
                left.unlink()
        if not parity.passed:
            (folder / ONNX).unlink(missing_ok=True)
        replace_file(folder / PARITY, _to_json(parity))
        if not parity.passed:
            raise ParityFailed(parity)
        replace_file(folder / ONNX, candidate.read_bytes())


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


def _convert_and_prove(source: _Source, candidate: Path, verbose: bool) -> Parity:
    # TensorFlow's chatter begins at its import, so that is behind quiet_stderr too.
    from exporter.convert import convert
    from exporter.options import Options
    from exporter.parity import prove
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
    model = convert(tensorflow.signature, Options(verbose=verbose))
    candidate.write_bytes(model.SerializeToString())
    try:
        onnx = open_onnx(candidate, BackendOptions(provider="cpu"))
        return prove(tensorflow, onnx, candidate, how, sample, digest)
    except BackendError as ex:
        raise ExportError(f"the ONNX cannot be proved: {ex}") from ex


def _to_json(parity: Parity) -> bytes:
    return (json.dumps(parity.to_json(), indent=2) + "\n").encode()
