"""The answers that a client gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfaas_onnx.errors import WrongArgument
from tfaas_onnx.exchange import Reply


@dataclass(frozen=True, eq=False)
class ImagePrediction:
    """The classes of one picture, the best one first.

    Attributes:
        labels: the classes' names.
        probabilities: ``(len(labels),)`` float64, the score of each.
        backend: the engine that answered, such as
            ``onnxruntime/CPUExecutionProvider``.
        version: the model's version that answered; None if the server told none.
        request_id: the id of the request in the server's log.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    backend: str
    version: int | None
    request_id: str

    @property
    def label(self) -> str:
        """The best class' name; empty if the model has no class."""
        return self.labels[0] if self.labels else ""

    @property
    def probability(self) -> float:
        """The best class' score; NaN if the model has no class."""
        return float(self.probabilities[0]) if self.labels else float("nan")

    def by_label(self) -> dict[str, float]:
        """Return the scores by their labels, the best one first."""
        return dict(zip(self.labels, self.probabilities.tolist(), strict=True))


class Outputs(dict[str, NDArray[Any]]):
    """A model's outputs by name, with the engine and the version that answered.

    Attributes:
        backend: the engine that answered.
        version: the model's version that answered; None if the server told none.
        request_id: the id of the request in the server's log.
    """

    def __init__(
        self,
        outputs: Mapping[str, NDArray[Any]],
        backend: str = "",
        version: int | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(outputs)
        self.backend = backend
        self.version = version
        self.request_id = request_id


def only_output(outputs: Outputs) -> NDArray[Any]:
    """Return the array of a model's only output.

    Raises:
        WrongArgument: the model has several.
    """
    if len(outputs) != 1:
        has = ", ".join(outputs)
        raise WrongArgument(
            "inputs", f"must be a dict, because the model has the outputs {has}"
        )
    return next(iter(outputs.values()))


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
        serves: the version that answers requests without one.
        fallback_reason: the reason why TensorFlow serves it; empty if it does not.
        content: all that the server tells.
    """

    name: str
    version: int
    backend: str
    serves: int
    fallback_reason: str
    content: Mapping[str, Any] = field(repr=False, compare=False)


def image_predictions_of(reply: Reply, content: list[Any]) -> list[ImagePrediction]:
    """Read the answers of an image route, each with its labels."""
    backend, version = backend_of(reply), version_of(reply)
    found = []
    for one in content:
        labels = one["labels"]
        # JSON has no NaN, so the server writes null.
        scores = [np.nan if x["probability"] is None else x["probability"]
                  for x in labels]  # fmt: skip
        found.append(
            ImagePrediction(
                tuple(x["label"] for x in labels),
                np.array(scores, np.float64),
                backend,
                version,
                reply.request_id,
            )
        )
    return found


def backend_of(reply: Reply) -> str:
    """Return the engine that answered, as the header has it."""
    return reply.headers.get("X-Model-Backend", "")


def version_of(reply: Reply) -> int | None:
    """Return the version that answered, as the header has it."""
    text = reply.headers.get("X-Model-Version", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


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
    serves = content.get("serves")
    return Published(
        content["name"],
        number,
        content["backend"],
        number if serves is None else serves,
        content.get("fallback_reason") or "",
        content,
    )


def _engine(content: Mapping[str, Any]) -> str:
    if not content.get("backend"):
        return ""
    return f"{content['backend']}/{content.get('device')}"
