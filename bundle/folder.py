"""A bundle: one model's folder, opened, checked and immutable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bundle.decode import MAX_PIXELS
from bundle.errors import BundleError
from bundle.params import FILE_NAME as PARAMS
from bundle.params import Params, read_params
from bundle.variants import Variant, onnx_file

SAVED_MODEL = "saved_model.pb"
ONNX = onnx_file()
SAMPLE = "sample.npz"
VARIABLES = "variables/variables.index"

# The signature that Keras exports and TensorFlow Serving serves.
SIGNATURE = "serving_default"

# A GraphDef begins with its first node, field 1 with a length; a SavedModel's field 1
# is a number, 0x08 (protobuf's encoding of tag and wire type).
_GRAPH_DEF = b"\x0a"

# "A few images": 1700 of 224 x 224 in colour. An npz of a megabyte can claim a
# thousand times more.
MAX_SAMPLE_BYTES = 1 << 28


@dataclass(frozen=True)
class Sample:
    """A few labelled test images that a bundle carries to try it and to warm it.

    Attributes:
        images: ``(N, H, W, C)`` uint8, raw 0..255 pixels.
        labels: ``(N,)`` int64, indices into the bundle's labels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Bundle:
    """An opened bundle; opened means checked.

    Attributes:
        path: its folder.
        params: params.json.
        labels: one a class, in the order of the model's output; empty if it has none.
        frozen_graph: the TF1 graph, its weights inside, that params.json's ``model``
            names; None if the bundle holds a SavedModel, or ONNX alone.
    """

    path: Path
    params: Params
    labels: tuple[str, ...]
    frozen_graph: Path | None = None

    @property
    def onnx(self) -> Path | None:
        """``model.onnx``, if there is one."""
        return self.find_onnx("fp32")

    def find_onnx(self, variant: Variant) -> Path | None:
        """``model.onnx`` or a variant of it, if there is one."""
        path = self.path / onnx_file(variant)
        return path if path.is_file() else None

    @property
    def has_saved_model(self) -> bool:
        """Whether it holds a SavedModel, and no frozen graph in its place."""
        return self.frozen_graph is None and (self.path / SAVED_MODEL).is_file()

    @property
    def tensorflow_model(self) -> Path | None:
        """What TensorFlow could serve: the frozen graph, or saved_model.pb."""
        if self.has_saved_model:
            return self.path / SAVED_MODEL
        return self.frozen_graph

    @property
    def nodes(self) -> tuple[str, ...]:
        """Between which two nodes a frozen graph is run; none of a SavedModel."""
        if self.frozen_graph is None:
            return ()
        return (self.params.input_node, self.params.output_node)

    def read_sample(self) -> Sample | None:
        """``sample.npz``, if the bundle carries one.

        Raises:
            BundleError: it is there and is not a sample.
        """
        try:
            with (
                # Opened here: numpy leaves a file open that it finds damaged.
                (self.path / SAMPLE).open("rb") as stream,
                np.load(stream, allow_pickle=False) as arrays,
            ):
                if sum(f.file_size for f in arrays.zip.infolist()) > MAX_SAMPLE_BYTES:
                    raise ValueError
                images, labels = arrays["images"], arrays["labels"]
        except FileNotFoundError:
            return None
        # zipfile, its four kinds of compression and numpy raise whatever a damaged
        # file makes them trip over; none of it is a bug of this project.
        except Exception as ex:
            raise BundleError(f"{SAMPLE} is not a sample of images") from ex
        if (
            not isinstance(images, np.ndarray)  # numpy hands other files over as bytes
            or not isinstance(labels, np.ndarray)
            or images.dtype != np.uint8
            or images.ndim != 4
            or not 0 < images[:1].size <= 3 * MAX_PIXELS
            or labels.shape != images.shape[:1]
            or labels.dtype.kind not in "iu"
        ):
            raise BundleError(
                f"{SAMPLE} must hold 'images' (N, H, W, C) uint8 and 'labels' (N,)"
            )
        return Sample(images, labels.astype(np.int64))


def open_bundle(path: Path) -> Bundle:
    """Open a bundle's folder and check that it is whole.

    Raises:
        BundleError: names the file and the field that is wrong.
    """
    params = read_params(path)
    try:
        has_saved_model = (path / SAVED_MODEL).is_file()
        has_onnx = (path / ONNX).is_file()
        has_weights = (path / VARIABLES).is_file()
        frozen_graph = _find_frozen_graph(path, params)
    except OSError as ex:
        raise BundleError(f"the bundle cannot be read: {ex.strerror}") from ex
    if not has_saved_model and not has_onnx and not frozen_graph:
        wanted = params.model if params.model.endswith(".pb") else SAVED_MODEL
        raise BundleError(
            f"neither {wanted} nor {ONNX} is there: the bundle holds no model"
        )
    if has_saved_model and not has_weights and not frozen_graph:
        raise BundleError(
            f"{VARIABLES} is missing: {SAVED_MODEL} has no weights;"
            " pack the whole folder that the trainer wrote"
        )
    if frozen_graph:
        _check_names_nodes(params)
    return Bundle(path, params, _read_labels(path, params), frozen_graph)


def _find_frozen_graph(path: Path, params: Params) -> Path | None:
    graph = path / params.model
    if graph.suffix != ".pb" or not graph.is_file():
        return None
    if params.model != SAVED_MODEL:
        return graph
    # TFaaS never looked at the name, so a frozen graph may have this one too.
    if (path / VARIABLES).is_file():
        return None
    with graph.open("rb") as stream:
        return graph if stream.read(1) == _GRAPH_DEF else None


def _check_names_nodes(params: Params) -> None:
    """A frozen graph has no signature to tell them."""
    for field, does in (("input_node", "takes the input"), ("output_node", "answers")):
        if not getattr(params, field):
            raise BundleError(
                f"{PARAMS}: {field!r} is missing: it must name the node of"
                f" {params.model}, a frozen graph, that {does}"
            )


def _read_labels(path: Path, params: Params) -> tuple[str, ...]:
    if not params.labels:
        return ()
    try:
        # utf-8-sig: some editors begin a file with a mark that is no part of a label.
        text = (path / params.labels).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BundleError(
            f"{params.labels} is missing, and params.json names it as 'labels'"
        ) from None
    except (OSError, UnicodeDecodeError) as ex:
        raise BundleError(f"{params.labels} is not a text file in UTF-8") from ex
    lines = text.rstrip("\n")
    return tuple(lines.split("\n")) if lines else ()
