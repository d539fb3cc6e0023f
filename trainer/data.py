"""A checked data set of labelled images, from a file of any known format.

The first bytes of a file tell its format. ``trainer.formats`` reads each format, and
this module checks the arrays and brings them to one shape and dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.archive import HEAD
from bundle.zipball import MAGIC as ZIP
from trainer.classes import class_numbers
from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import MAX_BYTES, read_head
from trainer.formats.foreign import advice
from trainer.formats.idx import MAGIC, is_idx_name, read_idx
from trainer.formats.npz import read_npz
from trainer.formats.pickled import read_pickle
from trainer.formats.pictures import read_pictures
from trainer.pixels import pixels, size_of
from trainer.samples import Task

# If a data set has no test part, every fifth image of each class is held out.
HOLD_OUT = 5

EMBEDDED = Path(__file__).parent / "data" / "mnist.npz"

# IDX files are searched this many folders deep, so that an error can name their folder.
_DEPTH = 3
# A note names this many empty classes at most.
_NAMED = 10

# A pickle begins with its protocol's instruction. Pickles of older protocols begin with
# a tuple, a list or a global name.
_PICKLE = (b"\x80", b"(", b"]", b"c")


@dataclass(frozen=True)
class DataSet:
    """Labelled images to train and to test on.

    Attributes:
        x_train: ``(N, H, W, C)`` uint8, 0..255; C is 1 or 3.
        y_train: ``(N,)`` int64, indices into ``labels``.
        x_test: ``(N', H, W, C)`` uint8.
        y_test: ``(N',)`` int64.
        labels: class names.
        notes: sentences about changes of the data that its owner may not expect.
    """

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
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


def load_dataset(path: Path | None, max_bytes: int = MAX_BYTES) -> DataSet:
    """Load a data set.

    Args:
        path: an ``.npz`` file, a ``mnist.pkl.gz``, IDX files (their folder or one of
            them), or a folder of images with one subfolder for each class; None is the
            embedded MNIST.
        max_bytes: the most bytes of a file, unpacked, or of all pixels of a folder.

    Returns:
        Images ``(N, H, W, C)`` uint8 and labels ``(N,)`` int64; see ``DataSet``.

    Raises:
        DataError: the data set is missing, empty, cut short or damaged, has another
            format, or its images and labels do not fit together.
    """
    source = path or EMBEDDED
    return _checked(_read(source, max_bytes), source)


def _read(path: Path, max_bytes: int) -> Arrays:
    if path.is_dir():
        return _read_folder(path, max_bytes)
    if not path.exists():
        raise DataError(f"there is no file or folder {path}; check --fin")
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder; check --fin")
    head = read_head(path, HEAD)
    if not head:
        raise DataError(f"{path} is empty; fetch it again")
    if head.startswith(ZIP):
        return read_npz(path, max_bytes)
    if head.startswith(MAGIC):
        return read_idx(path, max_bytes)
    known = "an .npz, a .pkl.gz, IDX files or a folder of images"
    # This comes before pickles, because a tar begins with a name, which may begin as a
    # pickle does.
    if told := advice(head):
        kind, what_to_do = told
        raise DataError(f"{path} is {kind}; {what_to_do} (give {known})")
    if head.startswith(_PICKLE):
        return read_pickle(path, max_bytes)
    raise DataError(f"{path} is no data set of a known format; give {known}")


def _read_folder(path: Path, max_bytes: int) -> Arrays:
    try:
        names = [entry.name for entry in path.iterdir()]
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex
    if any(is_idx_name(name) for name in names):
        return read_idx(path, max_bytes)
    if below := _idx_below(path):
        raise DataError(
            f"{path} holds IDX files in {below.relative_to(path)}/; give {below}"
        )
    return read_pictures(path, max_bytes)


def _idx_below(folder: Path) -> Path | None:
    """Find a subfolder of IDX files, such as the ``MNIST/raw`` that PyTorch makes."""
    for depth in range(1, _DEPTH + 1):
        for path in sorted(folder.glob("/".join("*" * depth) + "/*-ubyte*")):
            if is_idx_name(path.name):
                return path.parent
    return None


def _checked(arrays: Arrays, source: Path) -> DataSet:
    x_train, y_train, names = _part(arrays.x_train, arrays.y_train, source, "training")
    labels = arrays.labels or names or _numbered(y_train, source)
    notes = list(arrays.notes)
    if arrays.x_test is None or arrays.y_test is None:
        x_train, y_train, x_test, y_test = _held_out(x_train, y_train, source)
    else:
        if (arrays.y_train.dtype.kind in "US") != (arrays.y_test.dtype.kind in "US"):
            raise DataError(
                f"{source}: the training labels are {arrays.y_train.dtype} and the test"
                f" labels {arrays.y_test.dtype}; give numbers for both, or names for"
                " both"
            )
        x_test, y_test, _ = _part(arrays.x_test, arrays.y_test, source, "test", names)
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


def _part(
    images: NDArray[Any],
    labels: NDArray[Any],
    source: Path,
    part: str,
    known: tuple[str, ...] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...] | None]:
    """Check one part; give its pixels, class numbers and, if known, class names."""
    shaped = pixels(images, f"{source}: the {part} images")
    numbers, names = class_numbers(labels, f"{source}: the {part} labels", known)
    if len(shaped) != len(numbers):
        raise DataError(
            f"{source} holds {len(shaped)} {part} images and {len(numbers)} labels"
            " for them; the numbers must be equal"
        )
    if not len(shaped):
        raise DataError(f"{source} holds no {part} images; give a data set with some")
    return shaped, numbers, names


def _held_out(
    images: NDArray[np.uint8], numbers: NDArray[np.int64], source: Path
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """Hold out every fifth image of each class; the same data always split alike."""
    held = np.zeros(len(numbers), bool)
    for number in np.unique(numbers):
        places = np.flatnonzero(numbers == number)
        # A class with fewer images gives its last one, and a single image stays.
        each = min(HOLD_OUT, max(len(places), 2))
        held[places[each - 1 :: each]] = True
    if not held.any():
        raise DataError(
            f"{source} has no test images and one image a class; give at least 2"
            " images a class, one of which is held out to test on"
        )
    return images[~held], numbers[~held], images[held], numbers[held]


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
