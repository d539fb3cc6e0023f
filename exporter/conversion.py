"""Source -> a model and its proof in a scratch folder: the child process's work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from bundle.manifest import DATA, onnx_digest
from bundle.params import Preprocess
from bundle.parity import Parity
from exporter.child import Tell
from exporter.errors import ExportError
from exporter.options import Options
from exporter.parity import prove
from exporter.ranges import index_ranges
from exporter.reference import open_reference
from exporter.source import Source
from runtime.backends import BackendOptions
from runtime.backends.onnx import open_onnx
from runtime.backends.saved_model import TensorFlowBackend
from runtime.errors import BackendError

# Of weights, in bytes. One file is one protobuf message, which ends at 2 GiB; the graph
# beside the weights has room in what is left.
MAX_INSIDE = 2_000_000_000
# Tensors below it stay inside the graph, as onnx does by itself: shapes and axes must.
_SMALL = 1024


@dataclass(frozen=True)
class Order:
    """What the child is to do.

    Attributes:
        source: what is converted.
        options: how.
        candidate: the file to write, under its final name, in a scratch folder.
        max_inside: bytes of weights above which they go into a file of their own.
    """

    source: Source
    options: Options
    candidate: Path
    max_inside: int = MAX_INSIDE


def convert_and_prove(order: Order, tell: Tell) -> Parity:
    """Convert a source, write the ONNX to ``order.candidate``, and compare the two.

    Raises:
        SourceError: the source is no model that can be loaded.
        ExportError: it cannot be converted, or its ONNX cannot run.
        OSError: the scratch folder is full.
    """
    # Here: it imports TensorFlow, and the parent reads this file too.
    from exporter.convert import convert

    # Before it is read: whoever replaces it meanwhile is noticed at the end.
    digest = order.source.digest()
    tell("loading")
    reference = open_reference(order.source)
    model = convert(reference.signature, order.options, tell, order.max_inside)
    tell("writing")
    save(model, order.candidate, order.max_inside)
    del model
    return compare(order.source, reference, order.candidate, digest, tell)


def compare(
    source: Source,
    reference: TensorFlowBackend,
    path: Path,
    digest: str,
    tell: Tell,
) -> Parity:
    """Prove an ONNX against its source.

    Args:
        source: whose sample and preprocessing are used.
        reference: the source, loaded.
        path: the ONNX.
        digest: of the source, when it was loaded.
        tell: called with each step.

    Raises:
        ExportError: ONNX Runtime cannot load or run it.
    """
    bundle = source.bundle
    how = bundle.params.preprocess if bundle else Preprocess()
    sample = bundle.read_sample() if bundle else None
    try:
        candidate = open_onnx(path, BackendOptions(provider="cpu"))
        parity = prove(
            reference,
            candidate,
            path,
            how,
            sample,
            digest,
            ranges=index_ranges(onnx.load(path, load_external_data=False)),
            report=tell,
        )
    except BackendError as ex:
        raise ExportError(f"the ONNX cannot be proved: {ex}") from ex
    return replace(parity, sha256=onnx_digest(path), source=source.name)


def save(model: onnx.ModelProto, path: Path, max_inside: int = MAX_INSIDE) -> None:
    """Write a model; its large tensors into one file beside it, if they are too many.

    Args:
        model: it is changed where weights go into a file of their own.
        path: whose name with ``.data`` behind is that file's name.
        max_inside: bytes of weights that one file takes.
    """
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if size <= max_inside:
        onnx.save(model, path)
        return
    onnx.save(
        model,
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=path.name + DATA,
        size_threshold=_SMALL,
    )
