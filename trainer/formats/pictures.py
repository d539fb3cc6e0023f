"""A folder of images, one subfolder a class, with ``train/`` and ``test/`` or without.

Size, channels and class names are read off the images and the folders.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bundle.decode import decode_image, is_gray
from bundle.errors import ImageError
from bundle.params import Preprocess
from bundle.preprocess import preprocess
from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import MAX_BYTES

# Of a folder without test/, one image in so many is held out of each class.
HOLD_OUT = 5


_PARTS = ("train", "test")


@dataclass(frozen=True)
class _Picture:
    path: Path
    label: int


def read_pictures(root: Path) -> Arrays:
    """Read a folder of images.

    The size is the most common one, and images of another are resized. They are gray
    if all of them are. Without ``test/``, every fifth image of each class, by name, is
    held out, so that the same folder is always parted in the same way.

    Returns:
        Images ``(N, H, W, C)`` uint8; labels, the subfolders' names in order, numbers
        by their value; notes on files passed over, resized and taken as colour.

    Raises:
        DataError: there are no classes or a class is empty, or a file is no image;
            names it by its path below ``root``.
    """
    if _subfolders(root / "train"):
        if other := [f.name for f in _subfolders(root) if f.name not in _PARTS]:
            raise DataError(
                f"{root} holds train/ and also {other[0]}/; leave train/ and test/"
                " alone, or put each class straight into the folder"
            )
        labels = _labels(root / "train")
        train = _list(root, root / "train", labels)
        test = _list(root, root / "test", labels)
        beside = _files_beside(root, *(root / part for part in _PARTS))
    else:
        labels = _labels(root)
        train, test = _list(root, root, labels), []
        beside = _files_beside(root)
    if not test:
        train, test = _hold_out(train)
    if not test:
        raise DataError(
            f"{root} has no test/ and one image a class; give at least 2 images a"
            " class, of which one is held out to test on"
        )
    images, notes = _read_images(root, [*train, *test])  # (N, H, W, C)
    if beside:
        notes.append(
            f"{beside} {'file' if beside == 1 else 'files'} beside the class folders"
            f" {'was' if beside == 1 else 'were'} passed over"
        )
    numbers = np.array([picture.label for picture in [*train, *test]], np.int64)
    count = len(train)
    return Arrays(
        images[:count],
        numbers[:count],
        images[count:],
        numbers[count:],
        labels,
        tuple(notes),
    )


def _files_beside(*folders: Path) -> int:
    return sum(not path.is_dir() for folder in folders for path in _visible(folder))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in _visible(folder) if path.is_dir())


def _visible(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as ex:
        raise DataError(f"{folder} cannot be read: {ex.strerror}") from ex


def _labels(folder: Path) -> tuple[str, ...]:
    names = [path.name for path in _subfolders(folder)]
    if not names:
        raise DataError(
            f"{folder} holds neither IDX files nor images in one subfolder a class;"
            " check --fin"
        )
    for name in names:
        # labels.txt holds one a line, in UTF-8.
        if "\n" in name or "\r" in name or not _is_utf8(name):
            raise DataError(
                f"{folder} has a subfolder {name!r}, which cannot be a label; rename it"
            )
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=int))  # 10 after 9
    return tuple(sorted(names))


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _list(root: Path, folder: Path, labels: tuple[str, ...]) -> list[_Picture]:
    """The pictures of ``folder``, class by class, each by name."""
    names = {subfolder.name for subfolder in _subfolders(folder)}
    if unknown := sorted(names.difference(labels)):
        raise DataError(
            f"{root}: {(folder / unknown[0]).relative_to(root)}/ is a class that train/"
            " does not have; add it there or remove it"
        )
    pictures = []
    for number, label in enumerate(labels):
        paths = sorted(_visible(folder / label))
        if label in names and not paths:
            raise DataError(
                f"{root}: {(folder / label).relative_to(root)}/ holds no images;"
                " add some or remove it"
            )
        pictures += [_Picture(path, number) for path in paths]
    return pictures


def _hold_out(pictures: list[_Picture]) -> tuple[list[_Picture], list[_Picture]]:
    train: list[_Picture] = []
    test: list[_Picture] = []
    seen: Counter[int] = Counter()
    totals = Counter(picture.label for picture in pictures)
    for picture in pictures:
        seen[picture.label] += 1
        # Of a class too small for that, the last one; of a single image, none.
        each = min(HOLD_OUT, max(totals[picture.label], 2))
        (train if seen[picture.label] % each else test).append(picture)
    return train, test


def _read_images(
    root: Path, pictures: list[_Picture]
) -> tuple[NDArray[np.uint8], list[str]]:
    """All images in one size and with as many channels, and notes on what that took."""
    images: list[NDArray[np.uint8]] = []
    total = 0
    for picture in pictures:
        image = _read_image(root, picture.path)
        total += image.nbytes
        if total > MAX_BYTES:
            raise DataError(
                f"{root} holds images of more than {MAX_BYTES} bytes of pixels in all;"
                " make them smaller"
            )
        images.append(image)
    channels = max(image.shape[2] for image in images)
    sizes = Counter(image.shape[:2] for image in images)
    height, width = sizes.most_common(1)[0][0]
    batch = np.empty((len(images), height, width, channels), np.uint8)
    for index, image in enumerate(images):
        coloured = np.repeat(image, channels // image.shape[2], axis=2)
        batch[index] = preprocess(
            coloured, Preprocess(), (height, width, channels), batch.dtype
        )
    return batch, _notes(images, batch)


def _notes(images: list[NDArray[np.uint8]], batch: NDArray[np.uint8]) -> list[str]:
    count, height, width, channels = batch.shape
    notes = []
    if resized := sum(image.shape[:2] != (height, width) for image in images):
        notes.append(
            f"{resized} of {count} images {'is' if resized == 1 else 'are'} brought to"
            f" {height} x {width}, the most common size"
        )
    if gray := sum(image.shape[2] != channels for image in images):
        notes.append(
            f"{gray} gray {'image is' if gray == 1 else 'images are'} taken as colour"
        )
    return notes


def _read_image(root: Path, path: Path) -> NDArray[np.uint8]:
    try:
        data = path.read_bytes()
        return decode_image(data, 1 if is_gray(data) else 3)
    except ImageError as ex:
        reason = str(ex).removeprefix("Invalid image: ")
        raise DataError(
            f"{root}: {path.relative_to(root)} is not an image that can be read:"
            f" {reason}. Replace or remove it"
        ) from ex
    except OSError as ex:
        raise DataError(
            f"{root}: {path.relative_to(root)} cannot be read: {ex.strerror}"
        ) from ex
