"""The answers that a client gives about models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelSummary:
    """One model of a server's list.

    Attributes:
        name: its name.
        serves: the version that answers requests without one; None if it is broken.
        versions: its versions, lowest first.
        labels: the version that each label points to.
        backend: the engine, as ``engine/device``; empty while it is not in memory.
        error: the reason why it cannot be served; empty if it can.
        content: all that the server tells.
    """

    name: str
    serves: int | None
    versions: tuple[int, ...]
    labels: Mapping[str, int]
    backend: str
    error: str
    content: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model.

    Attributes:
        name: the model's name.
        version: its number.
        labels: the labels that point to it.
        bytes: the size of its files.
        classes: the names of its classes.
        proved: whether its ONNX is proved to answer as TensorFlow does; None while it
            is not in memory.
        backend: the engine, as ``engine/device``; empty while it is not in memory.
        error: the reason why it cannot be served; empty if it can.
        content: all that the server tells.
    """

    name: str
    version: int
    labels: tuple[str, ...]
    bytes: int
    classes: tuple[str, ...]
    proved: bool | None
    backend: str
    error: str
    content: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Model:
    """A model with its versions.

    Attributes:
        name: its name.
        serves: the version that answers requests without one.
        labels: the version that each label points to.
        versions: its versions, lowest first.
        content: all that the server tells.
    """

    name: str
    serves: int
    labels: Mapping[str, int]
    versions: tuple[ModelVersion, ...]
    content: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Published:
    """An upload that became a version.

    Attributes:
        name: the model's name.
        version: the number of the new version.
        backend: the engine that serves it, as ``engine/device``.
        serves: the version that answers requests without one; None if the model is
            unloaded.
        fallback_reason: the reason why TensorFlow serves it; empty if it does not.
        content: all that the server tells.
    """

    name: str
    version: int
    backend: str
    serves: int | None
    fallback_reason: str
    content: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Kept:
    """A picture or a row that the server keeps with its right label.

    Attributes:
        model: the model's name.
        label: the right label.
        items: the number of the model's pictures and rows that are kept now.
        content: all that the server tells.
    """

    model: str
    label: str
    items: int
    content: Mapping[str, Any] = field(repr=False, compare=False)


def summary_of(content: Mapping[str, Any]) -> ModelSummary:
    """Read one model of ``GET /models``."""
    return ModelSummary(
        content["name"],
        content.get("serves"),
        tuple(content.get("versions") or ()),
        # ``labels`` is TFaaS's key for the name of a file.
        content.get("version_labels") or {},
        _engine(content),
        content.get("error") or "",
        content,
    )


def version_from(content: Mapping[str, Any]) -> ModelVersion:
    """Read ``GET /models/{name}/{version}``."""
    return ModelVersion(
        content["name"],
        content["version"],
        tuple(content.get("labels") or ()),
        content["bytes"],
        tuple(content.get("classes") or ()),
        content.get("proved"),
        _engine(content),
        content.get("error") or "",
        content,
    )


def model_from(name: str, content: Mapping[str, Any]) -> Model:
    """Read ``GET /models/{name}``."""
    versions = tuple(map(version_from, content["versions"]))
    return Model(name, content["serves"], content["labels"], versions, content)


def published_from(content: Mapping[str, Any]) -> Published:
    """Read the answer of an upload."""
    number = content["version"]
    return Published(
        content["name"],
        number,
        content["backend"],
        # An older server tells no version, and null means that the model is unloaded.
        content.get("serves", number),
        content.get("fallback_reason") or "",
        content,
    )


def kept_from(content: Mapping[str, Any]) -> Kept:
    """Read the answer of ``POST /feedback``."""
    return Kept(content["model"], content["label"], content["items"], content)


def _engine(content: Mapping[str, Any]) -> str:
    if not content.get("backend"):
        return ""
    return f"{content['backend']}/{content.get('device')}"
