"""A checked data set of labelled images, from a file of any known format.

``trainer.formats`` reads each format and brings the images to one shape and dtype. This
module checks that images and labels fit together, and holds a test part out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.classes import class_numbers
from trainer.errors import DataError
from trainer.formats import Arrays, Form
from trainer.formats.recognize import is_list, read_data
from trainer.images import Images, choose
from trainer.pixels import size_of
from trainer.samples import Task
from trainer.split import TEST_SHARE, stratified
from trainer.stored_images import memory_for_images, scratch_place

EMBEDDED = Path(__file__).parent / "data" / "mnist.npz"

# A note names this many empty classes at most.
_NAMED = 10

_MB = 1_000_000


@dataclass(frozen=True)
class DataSet:
    """Labelled images to train and to test on.

    Attributes:
        x_train: ``(N, H, W, C)`` uint8, 0..255; C is 1 or 3. The pixels of a large data
            set lie on disk.
        y_train: ``(N,)`` int64, indices into ``labels``.
        x_test: ``(N', H, W, C)`` uint8.
        y_test: ``(N',)`` int64.
        labels: class names.
        notes: sentences about changes of the data that its owner may not expect.
    """

    x_train: Images
    y_train: NDArray[np.int64]
    x_test: Images
    y_test: NDArray[np.int64]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """Images show classes."""
        return "classes"

    @property
    def w_train(self) -> None:
        """All images weigh alike."""
        return None

    @property
    def w_test(self) -> None:
        """See ``w_train``."""
        return None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(H, W, C)`` of one image."""
        _, height, width, channels = self.x_train.shape
        return height, width, channels


def load_dataset(
    path: Path | None,
    *,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    label: str | None = None,
    max_bytes: int | None = None,
) -> DataSet:
    """Load a data set.

    Args:
        path: see ``trainer.formats.recognize.read_data``; None is the embedded MNIST.
        size: ``(height, width)`` in pixels that all images get; None is the most common
            size of pictures, and the size that arrays have.
        seed: chooses the images that are held out, if there is no test part.
        label: the column of a CSV's labels; None finds it by its usual names.
        max_bytes: images of more bytes are kept on disk and not in memory; None is
            ``memory_for_images``.

    Returns:
        Images ``(N, H, W, C)`` uint8 and labels ``(N,)`` int64; see ``DataSet``.

    Raises:
        DataError: the data set is missing, empty, cut short or damaged, has another
            format, or its images and labels do not fit together.
        WriteFailed: the disk refuses the images that memory cannot hold.
    """
    source = path or EMBEDDED
    if label is not None and source.exists() and not is_list(source):
        raise DataError(
            f"{source} holds images without columns; --label is for tables and for"
            " lists of pictures, so leave it out"
        )
    most = memory_for_images() if max_bytes is None else max_bytes
    data = _checked(read_data(source, Form(size), most, label), source, seed)
    if isinstance(data.x_train, np.ndarray):
        return data
    return replace(data, notes=(*data.notes, _on_disk(data, most)))


def _on_disk(data: DataSet, most: int) -> str:
    pixels = sum(math.prod(images.shape) for images in (data.x_train, data.x_test))
    return (
        f"the images take {pixels / _MB:,.0f} MB and lie in a file in"
        f" {scratch_place()}, because memory holds at most {most / _MB:,.0f} MB of them"
        " (--memory)"
    )


def _checked(arrays: Arrays, source: Path, seed: int) -> DataSet:
    x_train = arrays.x_train
    y_train, names = class_numbers_of(x_train, arrays.y_train, source, "training")
    labels = arrays.labels or names or _numbered(y_train, source)
    notes = list(arrays.notes)
    if arrays.x_test is None or arrays.y_test is None:
        x_train, y_train, x_test, y_test = _held_out(x_train, y_train, source, seed)
        notes.append(
            f"there are no test images: {len(y_test)} images, {TEST_SHARE:.0%} of each"
            f" class by chance (seed {seed}), are held out"
        )
    else:
        if (arrays.y_train.dtype.kind in "US") != (arrays.y_test.dtype.kind in "US"):
            raise DataError(
                f"{source}: the training labels are {arrays.y_train.dtype} and the test"
                f" labels {arrays.y_test.dtype}; give numbers for both, or names for"
                " both"
            )
        x_test = arrays.x_test
        y_test, _ = class_numbers_of(x_test, arrays.y_test, source, "test", names)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"{source}: training images are {size_of(x_train)} and test images"
            f" {size_of(x_test)}; their sizes must be equal"
        )
    if len(np.unique(y_train)) < 2:
        raise DataError(
            f"{source}: all training images are of one class; give at least two"
        )
    if y_test.max() >= len(labels):
        raise DataError(
            f"{source}: a test label is {y_test.max()} and training knows 0 to"
            f" {len(labels) - 1}; remove it or add the class"
        )
    if note := _empty_classes(y_train, labels):
        notes.append(note)
    return DataSet(x_train, y_train, x_test, y_test, labels, tuple(notes))


def class_numbers_of(
    images: Images,
    labels: NDArray[Any],
    source: Path,
    part: str,
    known: tuple[str, ...] | None = None,
) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """Check one part, and return its class numbers.

    Args:
        images: ``(N, H, W, C)``.
        labels: the labels as the file has them; see ``class_numbers``.
        source: the data set, for sentences.
        part: the part's name, for sentences.
        known: the class names of the training part, if this is another part.

    Returns:
        ``(N,)`` int64, and the class names; None if the labels are numbers.

    Raises:
        DataError: the labels have another form, or their number is not N, or N is 0.
    """
    numbers, names = class_numbers(labels, f"{source}: the {part} labels", known)
    if len(images) != len(numbers):
        raise DataError(
            f"{source} holds {len(images)} {part} images and {len(numbers)} labels"
            " for them; the numbers must be equal"
        )
    if not len(images):
        raise DataError(f"{source} holds no {part} images; give a data set with some")
    return numbers, names


def _held_out(
    images: Images, numbers: NDArray[np.int64], source: Path, seed: int
) -> tuple[Images, NDArray[np.int64], Images, NDArray[np.int64]]:
    """Hold a share of each class out; see ``stratified``."""
    held = stratified(numbers, TEST_SHARE, seed)
    if not held.any():
        raise DataError(
            f"{source} has no test images and one image a class; give at least 2"
            " images a class, one of which is held out to test on"
        )
    return choose(images, ~held), numbers[~held], choose(images, held), numbers[held]


def _empty_classes(y_train: NDArray[np.int64], labels: tuple[str, ...]) -> str | None:
    """Name the classes without images, such as 0 in EMNIST, whose letters begin at 1.

    Returns:
        A sentence; None if every class has images.
    """
    counts = np.bincount(y_train, minlength=len(labels))
    empty = [labels[number] for number in np.flatnonzero(counts == 0)]
    if not empty:
        return None
    named = ", ".join(empty[:_NAMED]) + (" and others" if len(empty) > _NAMED else "")
    several = len(empty) > 1
    return (
        f"class{'es' if several else ''} {named} {'have' if several else 'has'} no"
        f" training image; the model gets {len(labels)} outputs all the same"
    )


def _numbered(y_train: NDArray[np.int64], source: Path) -> tuple[str, ...]:
    count = int(y_train.max()) + 1
    # A damaged label, or a number with another meaning, can be a million. It would make
    # a model with a million outputs.
    if count > len(y_train):
        raise DataError(
            f"{source}: a label is {count - 1} among {len(y_train)} training images;"
            " number the classes 0, 1, 2 and on"
        )
    return tuple(str(number) for number in range(count))
