"""The facts about the version that scores: its inputs, its output and its classes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from bundle.errors import DomainError
from bundle.version import Version
from runtime.backends import TensorSpec
from runtime.models.model import Model


@dataclass(frozen=True)
class Facts:
    """One version of a model, as far as its input is read and its output is written.

    Attributes:
        name: the model's name.
        version: its number; 0 is a folder that is in no store.
        digest: the sha256 of all that the version holds; another model has another one.
        inputs: its inputs.
        output: the name of the output that has the scores.
        labels: the names of its classes; empty if they have none.
        may_lack: whether there may be fewer labels than classes.
        features: the names of a row's values, in the order of the model's input.
        img_channels: the channels of the pictures that it takes; 0 if it takes none.
    """

    name: str
    version: int
    digest: str
    inputs: tuple[TensorSpec, ...]
    output: str
    labels: tuple[str, ...]
    may_lack: bool
    features: tuple[str, ...]
    img_channels: int

    @property
    def spec(self) -> str:
        """The model and its version, for people."""
        return f"{self.name}:{self.version}" if self.version else self.name


def facts_of(model: Model, digest: str) -> Facts:
    """Take the facts from a model that was opened."""
    return Facts(
        model.name,
        model.version or 0,
        digest,
        model.backend.inputs,
        model.output.name,
        model.bundle.labels,
        model.answers_labels,
        model.bundle.params.features,
        model.img_channels,
    )


def facts_from(content: Mapping[str, Any]) -> Facts:
    """Take the facts from what a server tells of a version that is in memory.

    Args:
        content: the answer of ``GET /models/{name}/{version}``.

    Raises:
        KeyError, TypeError, AttributeError: it is no such answer.
    """
    params = content["params"]
    inputs, outputs = (_specs(content[key]) for key in ("inputs", "outputs"))
    names = [spec.name for spec in outputs]
    wanted = params.get("output_node", "")
    # A service keeps a version as it was published, apart from its ONNX.
    told = [content[key] for key in ("name", "version", "timestamp", "params")]
    return Facts(
        content["name"],
        content["version"],
        hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        inputs,
        wanted if wanted in names else names[0],
        tuple(content["classes"]),
        # The server checked it, and lets labels lack in frozen graphs alone.
        True,
        tuple(params.get("features") or ()),
        params.get("img_channels") or 0,
    )


def digest_of(version: Version) -> str:
    """Compute one sha256 over all files of a version.

    Raises:
        DomainError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for name, path in version.files().items():
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{name}\0{content}\n".encode(errors="surrogateescape"))
    except OSError as ex:
        raise DomainError(f"the model cannot be read: {ex.strerror}") from ex
    return digest.hexdigest()


def _specs(tensors: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(told["name"], np.dtype(told["dtype"]), tuple(told["shape"]))
        for told in tensors
    )
