"""A bundle: one model's folder, which is opened, checked and then not changed."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.errors import BundleError
from bundle.manifest import verify_manifest
from bundle.params import FILE_NAME as PARAMS
from bundle.params import Params
from bundle.params_file import read_params
from bundle.triton import TritonConfig, read_config
from bundle.variants import Variant, onnx_file

if TYPE_CHECKING:
    from bundle.sample import RowSample, Sample

SAVED_MODEL = "saved_model.pb"
ONNX = onnx_file()
# The trainer and the command of own models give the labels this name.
LABELS = "labels.txt"
VARIABLES = "variables/variables.index"

# The signature that Keras exports and TensorFlow Serving serves.
SIGNATURE = "serving_default"

# A GraphDef begins with its first node, which is field 1 with a length (0x0a). Field 1
# of a SavedModel is a number (0x08). The byte is protobuf's tag and wire type.
_GRAPH_DEF = b"\x0a"

# Each class has a line. The largest data sets that people train on have about 20,000
# classes, and the largest vocabularies 260,000 words.
MAX_LABELS_BYTES = 1 << 22
MAX_LABELS = 1 << 18

# The names of operators that hold a variable, in TensorFlow 2 and 1, as bytes of a
# graph: field 2 of a NodeDef, a length and the name.
_VARIABLES = re.compile(rb"\x12(?:\x0bVarHandleOp|\x0aVariableV2|\x08Variable)")
_CHUNK = 1 << 20
# The weights lie in pieces with names such as variables.data-00000-of-00001.
_SHARD = re.compile(r"variables\.data-([0-9]{5})-of-([0-9]{5})")


@dataclass(frozen=True)
class Bundle:
    """A bundle that was opened, and therefore checked.

    Attributes:
        path: its folder.
        params: the content of params.json.
        labels: one for each class, in the order of the model's output; empty if there
            are none.
        frozen_graph: the TensorFlow 1 graph, with its weights inside, that
            params.json's ``model`` names; None if the bundle holds a SavedModel, or
            ONNX alone.
        config: Triton's description of a model without params.json; None if there is
            none.
    """

    path: Path
    params: Params
    labels: tuple[str, ...]
    frozen_graph: Path | None = None
    config: TritonConfig | None = None

    @property
    def onnx(self) -> Path | None:
        """``model.onnx``, if there is one."""
        return self.find_onnx("fp32")

    def find_onnx(self, variant: Variant) -> Path | None:
        """Find ``model.onnx`` or a variant of it; None if it is not there."""
        path = self.path / onnx_file(variant)
        return path if path.is_file() else None

    @property
    def has_saved_model(self) -> bool:
        """Tell whether it holds a SavedModel, and no frozen graph in its place."""
        return self.frozen_graph is None and (self.path / SAVED_MODEL).is_file()

    @property
    def tensorflow_model(self) -> Path | None:
        """The file that TensorFlow can serve: the frozen graph, or saved_model.pb."""
        if self.has_saved_model:
            return self.path / SAVED_MODEL
        return self.frozen_graph

    @property
    def nodes(self) -> tuple[str, ...]:
        """The input node and the output node of a frozen graph; else empty."""
        if self.frozen_graph is None:
            return ()
        return (self.params.input_node, self.params.output_node)

    def read_sample(self) -> Sample | None:
        """Read ``sample.npz``, if the bundle has one.

        Raises:
            BundleError: the file is there and is not a sample.
        """
        # The import stands here, so that a command that reads no sample does not wait
        # for numpy and Pillow.
        from bundle.sample import read_sample

        return read_sample(self.path)

    def read_rows(self) -> RowSample | None:
        """Read ``rows.npz``, if the bundle has one.

        Raises:
            BundleError: the file is there and is not a sample of rows.
        """
        from bundle.sample import read_rows

        return read_rows(self.path)


def open_bundle(path: Path) -> Bundle:
    """Open a bundle's folder and check that it is whole.

    Raises:
        BundleError: a file or a field is wrong; the sentence names it.
    """
    params = read_params(path)
    try:
        has_saved_model = (path / SAVED_MODEL).is_file()
        has_onnx = (path / ONNX).is_file()
        frozen_graph = _find_frozen_graph(path, params)
        missing = ""
        if has_saved_model and not frozen_graph:
            missing = _find_missing_weights(path)
    except OSError as ex:
        raise BundleError(f"the bundle cannot be read: {ex.strerror}") from ex
    if not has_saved_model and not has_onnx and not frozen_graph:
        wanted = params.model if params.model.endswith(".pb") else SAVED_MODEL
        raise BundleError(
            f"neither {wanted} nor {ONNX} is there: the bundle holds no model"
        )
    if missing:
        raise BundleError(
            f"{missing} is missing: {SAVED_MODEL} has variables, and their values lie"
            " there; pack the whole folder that the trainer wrote"
        )
    if frozen_graph:
        _check_names_nodes(params)
    config = None if (path / PARAMS).exists() else read_config(path)
    return Bundle(path, params, _read_labels(path, params), frozen_graph, config)


def open_whole(path: Path) -> Bundle:
    """Open a bundle's folder after all its files are compared with manifest.json.

    Raises:
        BundleError: see ``open_bundle`` and ``verify_manifest``.
    """
    verify_manifest(path)
    return open_bundle(path)


def _find_frozen_graph(path: Path, params: Params) -> Path | None:
    graph = path / params.model
    if graph.suffix != ".pb" or not graph.is_file():
        return None
    if params.model != SAVED_MODEL:
        return graph
    # TFaaS never looked at the name, so a frozen graph may be called saved_model.pb.
    if (path / VARIABLES).is_file():
        return None
    return graph if is_graph_def(graph) else None


def is_graph_def(graph: Path) -> bool:
    """Tell whether a ``.pb`` file holds a frozen graph and not a SavedModel.

    Raises:
        OSError: it cannot be read.
    """
    with graph.open("rb") as stream:
        return stream.read(1) == _GRAPH_DEF


def _find_missing_weights(path: Path) -> str:
    """Name a file of weights that a SavedModel needs and lacks; empty if it has all."""
    if not (path / VARIABLES).is_file():
        # A SavedModel whose weights are constants needs no such file.
        graph = path / SAVED_MODEL
        status = graph.stat()
        state = (status.st_ino, status.st_size, status.st_ctime_ns)
        return VARIABLES if _has_variables(graph, state) else ""
    folder = (path / VARIABLES).parent
    shards = [found for p in folder.iterdir() if (found := _SHARD.fullmatch(p.name))]
    missing = ""
    for count in sorted({found[2] for found in shards}):
        there = {int(found[1]) for found in shards if found[2] == count}
        # This shard is missing, but all shards of another count may be there.
        first = next(n for n in range(len(there) + 1) if n not in there)
        if first >= int(count):
            return ""
        missing = f"{folder.name}/variables.data-{first:05}-of-{count}"
    return missing


# The result is kept, because a bundle is opened whenever somebody asks about it.
@functools.lru_cache(maxsize=256)
def _has_variables(graph: Path, state: tuple[int, ...]) -> bool:
    """Tell from a SavedModel's bytes whether it has variables.

    The graph may hold a gigabyte of constants, so it is searched and not parsed.
    TensorFlow finds out later which weights a checkpoint really holds.

    Args:
        graph: ``saved_model.pb``.
        state: numbers that change with the file, so that an old result is not used.

    Raises:
        OSError: it cannot be read.
    """
    tail = b""
    with graph.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if _VARIABLES.search(tail + chunk):
                return True
            tail = chunk[-16:]
    return False


def _check_names_nodes(params: Params) -> None:
    """Check that params.json names both nodes, as a frozen graph has no signature."""
    for field, does in (("input_node", "takes the input"), ("output_node", "answers")):
        if not getattr(params, field):
            raise BundleError(
                f"{PARAMS}: {field!r} is missing: it must name the node of"
                f" {params.model}, a frozen graph, that {does}; 'runtime bundle"
                f" {params.model}' finds it"
            )


def _read_labels(path: Path, params: Params) -> tuple[str, ...]:
    if not params.labels:
        return ()
    try:
        with (path / params.labels).open("rb") as stream:
            data = stream.read(MAX_LABELS_BYTES + 1)
        if len(data) > MAX_LABELS_BYTES or data.count(b"\n") > MAX_LABELS:
            raise BundleError(
                f"{params.labels} holds more than {MAX_LABELS} labels or"
                f" {MAX_LABELS_BYTES} bytes"
            )
        # utf-8-sig drops the byte order mark that some editors write before the text.
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise BundleError(
            f"{params.labels} is missing, and params.json names it as 'labels'; put it"
            " there, or make the bundle with: runtime bundle FILE --labels A,B,C"
        ) from None
    except (OSError, UnicodeDecodeError) as ex:
        raise BundleError(f"{params.labels} is not a text file in UTF-8") from ex
    # Each system ends the lines of a text file in its own way.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    return tuple(lines.split("\n")) if lines else ()
