"""From image files to batches of a model's input, and their runs."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.decode import MAX_PIXELS, Large, decode_image, pixels_of
from bundle.errors import ImageError, ShapeError, TooLarge
from bundle.preprocess import MAX_FREE_PIXELS
from runtime.backends.tensors import WARMED_SIDE
from runtime.errors import BackendError, InvalidInput
from runtime.lane import current_fiber, elsewhere
from runtime.models.model import Model
from runtime.prediction.runs import one_run, run_items
from runtime.telemetry.journey import Journey, clock

# An image of so many pixels is decoded and resized within about a millisecond.
QUICK_PIXELS = 1 << 16
# A file is looked through before its size is known, which takes about 1 ms for so many
# bytes.
QUICK_BYTES = 1 << 17

# All pictures of one request may together have as many pixels as four of the largest,
# which take a second or two. A form may hold sixty files, and would take too long.
_MOST_FILES = 4
MAX_REQUEST_PIXELS = _MOST_FILES * MAX_PIXELS
# A request in JSON may hold so many pictures; a form may have so many parts, too.
MOST_PICTURES = 64


def batches(
    model: Model,
    files: Sequence[bytes],
    journey: Journey,
    most_pixels: int = MAX_REQUEST_PIXELS,
) -> Iterator[NDArray[Any]]:
    """Decode files one by one, and join neighbours of one shape.

    A batch is run before the next files are decoded, because pictures take hundreds of
    times the memory of their files. The deadline is checked before each file.

    Args:
        model: the model; it takes images.
        files: the files' bytes.
        journey: the request's journey.
        most_pixels: the most pixels of all files together.

    Returns:
        Batches ``(n, H, W, C)`` of the input's dtype.

    Raises:
        ImageError, ShapeError: a file is no image for this model; if there are several,
            the error tells which.
        TooLarge: together they have more than ``most_pixels``; none was decoded.
        Expired: the request's time is over.
    """
    # Fewer files cannot have too many pixels.
    if len(files) > _MOST_FILES:
        start = clock()
        try:
            _check_request(files, most_pixels)
        finally:
            journey.laps.append(("decode", start, clock()))
    waiting: list[NDArray[Any]] = []
    for number, file in enumerate(files, start=1):
        journey.deadline.check()
        start = clock()
        try:
            image = _of_file(model, file)  # (1, H, W, C)
        except (ImageError, ShapeError) as ex:
            if len(files) == 1:
                raise
            raise _numbered(ex, number, files) from ex
        finally:
            journey.laps.append(("decode", start, clock()))
        pixels = math.prod(image.shape[1:3])
        if waiting and (
            image.shape != waiting[0].shape
            or pixels * (len(waiting) + 1) > MAX_FREE_PIXELS
        ):
            yield _joined(waiting)
            waiting = []
        waiting.append(image)
    yield _joined(waiting)


def one_image(model: Model, file: bytes, journey: Journey) -> NDArray[Any]:
    """Decode the one file of a request; see ``batches``."""
    start = clock()
    try:
        return _of_file(model, file)
    finally:
        journey.laps.append(("decode", start, clock()))


def _check_request(files: Sequence[bytes], most_pixels: int) -> None:
    total = 0
    for number, file in enumerate(files, start=1):
        try:
            total += pixels_of(file)
        except ImageError as ex:
            raise _numbered(ex, number, files) from ex
    if total > most_pixels:
        raise TooLarge(
            f"the images have {total} pixels, more than {most_pixels} in all;"
            " send several requests"
        )


def _numbered(
    ex: ImageError | ShapeError, number: int, files: Sequence[bytes]
) -> ImageError | ShapeError:
    """Return the same error with the number of the image among several."""
    return type(ex)(f"{ex} (image {number} of {len(files)})")


def _joined(images: list[NDArray[Any]]) -> NDArray[Any]:
    return images[0] if len(images) == 1 else np.concatenate(images)


def inputs_of_files(model: Model, files: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    """Make one run's input of image files, for the model that was asked or another one.

    Args:
        model: the model; it takes images.
        files: the files' bytes.

    Returns:
        An array ``(N, H, W, C)`` of the input's dtype, by the input's name.

    Raises:
        ImageError, ShapeError: a file is no image for this model, or the images have
            different shapes.
    """
    images = [_of_file(model, file) for file in files]
    if len({image.shape for image in images}) > 1:
        raise ShapeError(
            "the images give inputs of different sizes, which one run cannot take"
        )
    return one_run(model, _joined(images))


def run_images(model: Model, images: NDArray[Any], journey: Journey) -> NDArray[Any]:
    """Run a batch of images, ``(n, H, W, C)`` of the input's dtype; see ``run_items``.

    Raises:
        InvalidInput: the model does not take images of this size.
        BackendError: see ``Model.run``.
    """
    try:
        return run_items(model, images, journey)
    except BackendError as ex:
        height, width = images.shape[1:3]
        if model.has_free_size and min(height, width) < WARMED_SIDE:
            raise InvalidInput(
                f"the model does not take an image of {height} x {width} pixels;"
                " send a larger one"
            ) from ex
        raise


def _of_file(model: Model, file: bytes) -> NDArray[Any]:
    """Decode one image file to ``(1, H, W, C)`` of the dtype of a model's input."""
    try:
        most = MAX_PIXELS if current_fiber() is None else QUICK_PIXELS
        image = decode_image(
            file, model.img_channels, most, over_contrast=model.over_contrast
        )
        return model.to_batch(image)
    except Large:
        return elsewhere(functools.partial(_of_file, model, file), model.name)
