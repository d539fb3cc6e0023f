"""The first runs of a model: they warm its engine, and show whether it answers."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import BundleError, ShapeError
from bundle.sample import Sample
from runtime.backends import Backend
from runtime.backends.tensors import WARMED_SIDE, has_free_axes
from runtime.backends.warming import Make, Warm, warm_up
from runtime.errors import BackendError
from runtime.models.batch_policy import largest_batch

if TYPE_CHECKING:
    from runtime.models.model import Model

logger = logging.getLogger(__name__)

# So many images of a bundle's sample are answered when a model is loaded: enough to
# tell a model that is right from one that guesses, and quick compared with the load.
TRIED = 16

# The warm-up of a large model at max_batch_size is cut down to about so many seconds:
# the version before it serves meanwhile, but the upload and the first requests wait.
WARM_SECONDS = 5.0


@dataclass(frozen=True)
class Tried:
    """The result of a model on its bundle's own sample.

    Attributes:
        images: the number of images that were asked.
        right: the number of images that were answered with the sample's label.
    """

    images: int
    right: int


def to_input(model: Model, image: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Bring one decoded image to one run's input; see ``Model.to_batch``.

    Args:
        model: a model that takes images.
        image: ``(H, W, C)`` uint8.

    Returns:
        An array ``(N, H', W', C)`` of the input's dtype, by the input's name. It has
        the image N times, where N is the model's fixed batch, or 1.
    """
    batch = model.to_batch(image)
    spec = model.backend.inputs[0]
    size = spec.shape[0]
    return {spec.name: np.repeat(batch, size, axis=0) if size else batch}


def run_one_item(
    model: Model, sample: Sample | None, clock: Callable[[], float]
) -> tuple[Warm | None, str]:
    """Run one item: from the sample, from the declared ranges, or another one.

    Args:
        model: the model, whose backend is open.
        sample: its bundle's sample.
        clock: a clock in seconds that only goes forward.

    Returns:
        The run, and an empty text; or None, and the reason why the model was not
        warmed.
    """
    first: list[Make] = []
    if model.img_channels and sample is not None and len(sample.images):
        image = sample.images[0]
        # If the image does not fit the model, a later check reports it.
        with contextlib.suppress(ShapeError):
            one = to_input(model, image)
            first.append(functools.partial(_repeated, one, model.backend))
    try:
        warm = warm_up(model.backend, model.bundle.params.ranges, first, clock)
    except BackendError:
        warm = None  # the backend's own warm-up has reported it
    if warm is not None:
        return warm, ""
    why = "not warmed up: the model takes none of the inputs that were tried"
    if any(spec.dtype != object for spec in model.backend.inputs):
        why += "; 'ranges' in params.json can declare which numbers it takes"
    return None, why


def run_full_batch(
    model: Model, warm: Warm | None, max_batch_size: int, max_numbers: int
) -> int | None:
    """Run a full batch; engines settle on memory and kernels by size.

    Args:
        model: the model, whose backend is open.
        warm: its first run; None if it took none of the inputs that were tried.
        max_batch_size: the items of a full batch.
        max_numbers: the numbers that the inputs of one run may hold.

    Returns:
        The number of items that one run may have. None if the model's batch is fixed,
        or its answer is not one row an item: then no request can be cut in pieces.
    """
    if not _has_free_batch(model.backend):
        return None
    if warm is None:
        # Whether it answers by item is not known. A model of free sizes usually does.
        return max_batch_size if has_free_axes(model.backend.inputs) else None
    in_time = int(WARM_SECONDS / max(warm.seconds, 1e-6))
    size = max(1, min(max_batch_size, largest_batch(warm.make, max_numbers), in_time))
    outputs = warm.outputs
    try:
        if size > 1:
            outputs = model.backend.run(warm.make(size))
    except BackendError as ex:
        logger.warning(
            "%s does not take %d items at once and is run with one at a time: %s",
            model.name,
            size,
            ex,
            exc_info=ex,
        )
        return 1
    is_by_item = all(output.shape[:1] == (size,) for output in outputs.values())
    return max_batch_size if is_by_item else None


def check_answers_images(model: Model) -> None:
    """Send one black picture through all steps of a request.

    Raises:
        BundleError: the model cannot answer an image, or its answer is empty.
    """
    (spec,) = model.backend.inputs
    size, height, width, channels = spec.shape
    sides = model.bundle.params.preprocess.size or (
        height or WARMED_SIDE,
        width or WARMED_SIDE,
    )
    picture = np.zeros((*sides, channels or 1), np.uint8)
    try:
        outputs = model.backend.run(to_input(model, picture))
    except ShapeError as ex:
        raise BundleError(f"no image can be answered: {ex}") from ex
    except BackendError:
        return  # the backend's own warm-up has reported it
    shape = outputs[model.output.name].shape
    if 0 in shape[1:]:
        raise BundleError(
            f"output {model.output.name!r} is empty: one image was answered with the"
            f" shape {shape}"
        )
    if not shape or shape[0] != (size or 1):
        raise BundleError(
            f"output {model.output.name!r} has no batch axis: one image was answered"
            f" with the shape {shape}"
        )


def try_on_sample(model: Model, sample: Sample | None) -> Tried | None:
    """Answer some of the bundle's own images, which warms the model and tests it.

    Raises:
        BundleError: the sample does not fit the model, or an answer is empty.
    """
    if sample is None or not model.img_channels:
        return None
    chosen = np.unique(np.linspace(0, len(sample.images) - 1, TRIED).astype(int))
    right = 0
    try:
        for image, label in zip(
            sample.images[chosen], sample.labels[chosen], strict=True
        ):
            outputs, _ = model.run(to_input(model, image))
            answer = outputs[model.output.name]
            if not answer.size:
                raise BundleError("the answer to an image of sample.npz is empty")
            right += _best(answer[0]) == label
    except ShapeError as ex:
        raise BundleError(f"sample.npz does not fit this model: {ex}") from ex
    return Tried(len(chosen), right)


def _repeated(
    one: Mapping[str, NDArray[Any]], backend: Backend, items: int
) -> dict[str, NDArray[Any]]:
    """Repeat a picture; in a fixed batch it is repeated already."""
    is_fixed = bool(backend.inputs[0].shape[0])
    return {
        name: array if is_fixed else np.repeat(array, items, axis=0)
        for name, array in one.items()
    }


def _best(row: NDArray[Any]) -> int:
    """Return the class of one item's scores; a single score decides between 0 and 1."""
    return int(row.reshape(-1)[0] >= 0.5) if row.size == 1 else int(row.argmax())


def _has_free_batch(backend: Backend) -> bool:
    specs = (*backend.inputs, *backend.outputs)
    return all(spec.shape[:1] == (None,) for spec in specs)
