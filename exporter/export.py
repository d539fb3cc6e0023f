"""Add a proved model.onnx to a bundle, or to any SavedModel's folder."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundle.errors import BundleError
from bundle.folder import ONNX, SAVED_MODEL, Bundle, Sample, open_bundle
from bundle.params import FILE_NAME as PARAMS
from bundle.params import Preprocess
from bundle.parity import FILE_NAME as PARITY
from bundle.parity import Parity
from bundle.staging import replace_file
from bundle.terminal import quiet_stderr
from exporter.errors import ExportError, ParityFailed
from runtime.backends import BackendOptions
from runtime.errors import BackendError


def export(folder: Path, *, verbose: bool = False) -> Parity:
    """Convert a SavedModel, prove the result, and only then write it beside.

    parity.json is written first and model.onnx last, each by one rename: what is killed
    in between leaves a model.onnx that no parity.json proves, and that is not served.

    Args:
        folder: a bundle, or a SavedModel without params.json.
        verbose: let TensorFlow and tf2onnx chatter.

    Returns:
        The proof, as written to parity.json.

    Raises:
        BundleError: the folder holds no SavedModel.
        ExportError: it cannot be converted; a model.onnx that was there stays.
        ParityFailed: it answers otherwise; no model.onnx is left, parity.json says why.
    """
    how, sample = _open(folder)
    with quiet_stderr(not verbose), tempfile.TemporaryDirectory() as scratch:
        candidate = Path(scratch, ONNX)
        parity = _convert_and_prove(folder, candidate, how, sample)
        with _alone_in(folder):
            if not parity.passed:
                (folder / ONNX).unlink(missing_ok=True)
            replace_file(folder / PARITY, _to_json(parity))
            if not parity.passed:
                raise ParityFailed(parity)
            replace_file(folder / ONNX, candidate.read_bytes())
    return parity


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Two exports at a time would pair one's parity.json with the other's model.onnx.

    Alone, whatever temporary file is there was left by one that was killed.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for name in (PARITY, ONNX):
            for left in folder.glob(f".{name}.*"):
                left.unlink()
        yield
    finally:
        os.close(descriptor)


def _open(folder: Path) -> tuple[Preprocess, Sample | None]:
    if (folder / PARAMS).is_file():
        bundle: Bundle = open_bundle(folder)
        if not bundle.has_saved_model:
            raise BundleError(f"{SAVED_MODEL} is missing: there is nothing to convert")
        return bundle.params.preprocess, bundle.read_sample()
    if not (folder / SAVED_MODEL).is_file():
        raise BundleError(
            f"{folder} is neither a bundle nor a SavedModel: it has no {SAVED_MODEL}"
        )
    return Preprocess(), None


def _convert_and_prove(
    folder: Path, candidate: Path, how: Preprocess, sample: Sample | None
) -> Parity:
    # TensorFlow's chatter begins at its import, so that is behind quiet_stderr too.
    from exporter.convert import convert
    from exporter.parity import prove
    from runtime.backends.onnx import open_onnx
    from runtime.backends.saved_model import SavedModelBackend

    candidate.write_bytes(convert(folder).SerializeToString())
    try:
        onnx = open_onnx(candidate, BackendOptions(provider="cpu"))
        return prove(SavedModelBackend(folder), onnx, candidate, how, sample)
    except BackendError as ex:
        raise ExportError(
            f"the ONNX cannot be proved: {ex}; TensorFlow serves this model"
        ) from ex


def _to_json(parity: Parity) -> bytes:
    return (json.dumps(parity.to_json(), indent=2) + "\n").encode()
