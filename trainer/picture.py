"""One image of a data set, as a PNG file."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from bundle.staging import replace_file
from trainer.data import DataSet
from trainer.errors import DataError, DestinationError


def write_png(data: DataSet, number: int, path: Path) -> str:
    """Write a training image.

    Args:
        number: its place in the training set, from 0.

    Returns:
        Its label.

    Raises:
        DataError: there is no image of that number.
        DestinationError: the file cannot be written.
    """
    count = len(data.x_train)
    if not 0 <= number < count:
        raise DataError(
            f"there is no image {number}; the training images are 0 to {count - 1}"
        )
    pixels = data.x_train[number]  # (H, W, C)
    # Pillow's gray pictures have no channel axis.
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    try:
        replace_file(path, buffer.getvalue())
    except OSError as ex:
        raise DestinationError(
            f"{path} cannot be written: {ex.strerror}; give another file with --fout"
        ) from ex
    return data.labels[int(data.y_train[number])]
