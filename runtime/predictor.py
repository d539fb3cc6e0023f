"""The corridor: the rooms that a request's data goes through, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bundle.decode import decode_image
from runtime.backends import WARMED_SIDE
from runtime.errors import BackendError, InvalidInput
from runtime.postprocess import postprocess
from runtime.registry import ModelRegistry
from runtime.spec import ModelSpec


@dataclass(frozen=True)
class Prediction:
    """An answer, and who gave it.

    Attributes:
        scores: ``(num_classes,)``, in the order of the labels.
        backend: ``engine/device``.
        version: the model's version in the store.
    """

    scores: NDArray[Any]
    backend: str
    version: int | None


class Predictor:
    """Answers predictions with the registry's models."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry

    def predict_image(self, name: str, data: bytes) -> Prediction:
        """Answer for one image file.

        Args:
            name: the model.
            data: the image file's bytes; the format is told from them.

        Raises:
            ModelNotFound, InvalidInput, ImageError, ShapeError, BackendError: see
            ``bundle.errors`` and ``runtime.errors``.
        """
        model = self._registry.get(ModelSpec(name))
        channels = model.bundle.params.img_channels
        if not channels:
            raise InvalidInput(
                f"model {name!r} takes no images: its params.json has no img_channels"
            )
        image = decode_image(data, channels)  # (H, W, C)
        inputs = model.to_input(image)
        try:
            outputs, backend = model.run(inputs)
        except BackendError as ex:
            rows, columns = image.shape[:2]
            if model.has_free_size and min(rows, columns) < WARMED_SIDE:
                raise InvalidInput(
                    f"the model does not take an image of {rows} x {columns} pixels;"
                    " send a larger one"
                ) from ex
            raise
        batch = outputs[model.output.name]  # (1, num_classes)
        scores = postprocess(batch[0])
        return Prediction(scores, f"{backend.name}/{backend.device}", model.version)
