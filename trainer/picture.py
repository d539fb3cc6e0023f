"""One image of a data set, as a PNG file."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from bundle.disk import is_refusal, refusal
from bundle.staging import replace_file
from trainer.data import DataSet
from trainer.errors import DataError, DestinationError, WriteFailed


def write_png(data: DataSet, number: int, path: Path) -> str:
    """Write a training image.

    Args:
        data: the data set.
        number: the image's place in the training set, from 0.
        path: the PNG file.

    Returns:
        The image's label.

    Raises:
        DataError: there is no image of that number.
        DestinationError: the folder is not there, or the path is a folder.
        WriteFailed: the disk refuses the file.
    """
    count = len(data.x_train)
    if not 0 <= number < count:
        raise DataError(
            f"there is no image {number}; the training images are 0 to {count - 1}"
        )
    pixels = data.x_train[number]  # (H, W, C)
    # Pillow takes gray pictures without a channel axis.
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    try:
        replace_file(path, buffer.getvalue())
    except OSError as ex:
        failed = WriteFailed if is_refusal(ex) else DestinationError
        raise failed(
            f"{path} cannot be written: {refusal(ex, 'give another file with --fout')}"
        ) from ex
    return data.labels[int(data.y_train[number])]
