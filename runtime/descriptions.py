"""The descriptions of models: the keys that ``runtime.catalogue`` answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class Sample(TypedDict):
    """The result of a version on its own sample.

    Attributes:
        images: the number of images that were asked.
        right: the number of images that were answered with the sample's label.
    """

    images: int
    right: int


class Broken(TypedDict):
    """A model whose bundle cannot be read.

    Attributes:
        name: the model's name.
        error: the reason.
    """

    name: str
    error: str


class Engine(TypedDict):
    """The engine of a version; each value is null while it is not in memory.

    Attributes:
        backend: the engine.
        device: its device.
        proved: whether its ONNX is proved.
        sample: its result on its own sample.
        fallback_reason: why it is not ONNX Runtime; empty if it is.
        variant: the variant of its ONNX that runs.
        batching: whether waiting requests are run as one batch, and why.
        warm_up: why it was not warmed; empty if it was.
        variant_reason: why the variant is not the one named; empty if it is.
    """

    backend: str | None
    device: str | None
    proved: bool | None
    sample: Sample | None
    fallback_reason: str | None
    variant: str | None
    batching: str | None
    warm_up: str | None
    variant_reason: str | None


class ServedModel(Engine):
    """The state of a model, beside the keys of its params.json.

    Attributes:
        timestamp: when the version was published, or the time in its params.json.
        name: the model's name in the store.
        version: the version that serves.
        versions: all versions.
        serves: the version that serves.
        version_labels: each label's version.
        classes: the labels of the classes, in the order of the answers.
        loaded: the version in memory.
        error: why the version cannot be served; null if it can.
    """

    timestamp: str
    name: str
    version: int
    versions: list[int]
    serves: int
    version_labels: dict[str, int]
    classes: tuple[str, ...]
    loaded: int | None
    error: str | None


class File(TypedDict):
    """A file of a bundle.

    Attributes:
        name: its path in the bundle.
        bytes: its size.
    """

    name: str
    bytes: int


class Tensor(TypedDict):
    """An input or an output.

    Attributes:
        name: its name.
        dtype: numpy's name of its type.
        shape: its shape; null is a free axis.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class DescribedVersion(Engine):
    """One version of a model.

    Attributes:
        name: the model's name.
        version: its number.
        timestamp: when it was published.
        labels: the labels that point to it.
        params: its params.json; empty if it cannot be read.
        classes: the labels of the classes, in the order of the answers.
        bytes: the size of all files.
        files: its files.
        parity: the proof of its model.onnx; null if there is none.
        variants: the proofs of the variants of model.onnx.
        conversion: whether it has ONNX, or will have; null if it cannot be read.
        loaded: whether it is in memory.
        inputs: its inputs; null while it is not in memory.
        outputs: its outputs; null while it is not in memory.
        error: why it cannot be served; null if it can.
    """

    name: str
    version: int
    timestamp: str
    labels: list[str]
    params: Mapping[str, Any]
    classes: tuple[str, ...]
    bytes: int
    files: list[File]
    parity: dict[str, Any] | None
    variants: dict[str, dict[str, Any] | None]
    conversion: str | None
    loaded: bool
    inputs: list[Tensor] | None
    outputs: list[Tensor] | None
    error: str | None


class DescribedModel(TypedDict):
    """A model, its labels and its versions.

    Attributes:
        name: the model's name.
        serves: the version that serves.
        labels: each label's version.
        versions: its versions, lowest first.
    """

    name: str
    serves: int
    labels: dict[str, int]
    versions: list[DescribedVersion]
