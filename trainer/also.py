"""More images to train on, such as those that users sent back with the right label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bundle.params import Preprocess
from trainer.data import DataSet, class_numbers_of
from trainer.errors import DataError
from trainer.formats import Form
from trainer.formats.recognize import read_data
from trainer.images import join
from trainer.stored_images import memory_for_images

# The service keeps the feedback about pictures below this folder.
_FEEDBACK = "images"

# A sentence names this many labels at most.
_NAMED = 20


def with_also(
    data: DataSet,
    path: Path,
    how: Preprocess,
    *,
    label: str | None = None,
    max_bytes: int | None = None,
) -> DataSet:
    """Add another data set to the training part, and never to the test part.

    Args:
        data: the data set that is trained on.
        path: a data set of any format, or a model's folder of feedback.
        how: the steps from a picture to the model's input, which the bundle will
            declare. They are done here, because these pictures are as users sent them.
        label: the column of a CSV's labels; None finds it by its usual names.
        max_bytes: images of more bytes are kept on disk and not in memory; None is
            ``memory_for_images``.

    Returns:
        The data set with more training images. Those of the other's test part are not
        used, and a note says so.

    Raises:
        DataError: the other data set cannot be read, or has a label that ``data`` does
            not have.
        WriteFailed: the disk refuses the images that memory cannot hold.
    """
    if not path.exists():
        raise DataError(f"there is no file or folder {path}; check --also")
    source = path / _FEEDBACK if _is_feedback(path) else path
    height, width, channels = data.image_shape
    form = Form((height, width), channels, how)
    most = memory_for_images() if max_bytes is None else max_bytes
    arrays = read_data(source, form, most, label)
    numbers, names = class_numbers_of(
        arrays.x_train, arrays.y_train, source, "training"
    )
    labels = arrays.labels or names or tuple(map(str, range(int(numbers.max()) + 1)))
    place = {label: number for number, label in enumerate(data.labels)}
    for number in np.unique(numbers):
        if labels[number] not in place:
            raise _unknown(path, labels[number], data.labels)
    known = np.array([place.get(label, -1) for label in labels], np.int64)
    notes = [*data.notes, *(f"{path.name}: {note}" for note in arrays.notes)]
    count = len(numbers)
    notes.append(
        f"{path.name}: {count} {'image is' if count == 1 else 'images are'} trained on,"
        " too"
    )
    if arrays.x_test is not None:
        notes.append(f"{path.name}: its test images are not used")
    return replace(
        data,
        x_train=join(data.x_train, arrays.x_train),
        y_train=np.concatenate([data.y_train, known[numbers]]),
        notes=tuple(notes),
    )


def _is_feedback(path: Path) -> bool:
    try:
        return any(entry.is_dir() for entry in (path / _FEEDBACK).iterdir())
    except OSError:
        return False


def _unknown(path: Path, label: str, labels: tuple[str, ...]) -> DataError:
    known = ", ".join(labels[:_NAMED]) + (" and others" if len(labels) > _NAMED else "")
    return DataError(
        f"{path} has the label {label!r}, and --fin has only {known}; rename it, or"
        " remove its images"
    )
