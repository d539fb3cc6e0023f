"""The answers of models, as a client gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfaas_onnx.errors import WrongArgument
from tfaas_onnx.reply import Reply


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
