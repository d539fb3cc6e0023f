"""A reader of a folder of images with one subfolder for each class.

The folder may have the parts ``train/`` and ``test/``. The names of parts have several
spellings; see ``trainer.formats.parts``. The images tell their size and channels, and
the folders tell the names of the classes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bundle.decode import decode_image, is_gray
from bundle.errors import ImageError
from bundle.leftovers import is_leftover
from bundle.params import Preprocess
from bundle.preprocess import preprocess
from trainer.classes import ordered
from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import MAX_BYTES
from trainer.formats.foreign import PICTURES
from trainer.formats.parts import VALID_TESTS, VALID_TRAINS, Part, part_of

# Files with these endings may be a data set, or contain one.
_DATA_SETS = (".npz", ".pkl.gz", ".zip", ".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class _Picture:
    path: Path
    label: int


def read_pictures(root: Path, max_bytes: int = MAX_BYTES) -> Arrays:
    """Read a folder of images.

    All images get the most common size; others are resized. The images are gray if all
    of them are gray, and else have colour.

    Args:
        root: the folder.
        max_bytes: the most bytes of all pixels together.

    Returns:
        Images ``(N, H, W, C)`` uint8, and their class numbers ``(N,)`` int64. The
        labels are the subfolders' sorted names (numbers sorted by their value). The
        notes tell which files were passed over, resized or taken as colour.

    Raises:
        DataError: there are no classes, or a class is empty, or a file is no image. The
            sentence names its path below ``root``.
    """
    parts = _parts(root)
    classes = parts.get("train", root)
    labels = _labels(root, classes)
    train = _list(root, classes, labels, classes)
    test = _list(root, parts["test"], labels, classes) if "test" in parts else []
    valid = _list(root, parts["valid"], labels, classes) if "valid" in parts else []
    said: list[str] = []
    if valid and test:
        train, said = [*train, *valid], [VALID_TRAINS]
    elif valid:
        test, said = valid, [VALID_TESTS]
    images, notes = _read_images(root, [*train, *test], max_bytes)  # (N, H, W, C)
    if beside := _files_beside(root, *parts.values()):
        notes.append(
            f"{beside} {'file' if beside == 1 else 'files'} beside the class folders"
            f" {'was' if beside == 1 else 'were'} passed over"
        )
    numbers = np.array([picture.label for picture in [*train, *test]], np.int64)
    count = len(train)
    return Arrays(
        images[:count],
        numbers[:count],
        images[count:] if test else None,
        numbers[count:] if test else None,
        labels,
        (*said, *notes),
    )


def _parts(root: Path) -> dict[Part, Path]:
    """Find the folders of the parts; none if the root itself holds the classes.

    A folder ``train`` that holds images directly is a class of that name.

    Raises:
        DataError: two folders mean the same part, or other folders lie beside them.
    """
    parts: dict[Part, Path] = {}
    others: list[str] = []
    for folder in _subfolders(root):
        part = part_of(folder.name)
        if part is None:
            others.append(folder.name)
        elif part in parts:
            raise DataError(
                f"{root} holds {parts[part].name}/ and {folder.name}/, which mean the"
                " same here; leave one of them"
            )
        else:
            parts[part] = folder
    if "train" not in parts or not _subfolders(parts["train"]):
        return {}
    if others:
        names = " and ".join(f"{folder.name}/" for folder in parts.values())
        raise DataError(
            f"{root} holds {parts['train'].name}/ and also {others[0]}/; leave {names}"
            " alone, or put each class straight into the folder"
        )
    return parts


def _files_beside(*folders: Path) -> int:
    return sum(not path.is_dir() for folder in folders for path in _visible(folder))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in _visible(folder) if path.is_dir())


def _visible(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not is_leftover(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as ex:
        raise DataError(f"{folder} cannot be read: {ex.strerror}") from ex


def _labels(root: Path, folder: Path) -> tuple[str, ...]:
    classes = _subfolders(folder)
    names = [path.name for path in classes]
    if not names:
        raise DataError(
            f"{folder} holds neither IDX files nor images in one subfolder a class;"
            f" {_instead(folder)}"
        )
    for path in classes:
        if _subfolders(path) and not _files_beside(path):
            raise DataError(
                f"{root}: {path.relative_to(root)}/ holds folders and no images of its"
                f" own; if those are the classes, give {path} with --fin, else move"
                " the images up"
            )
    for name in names:
        # labels.txt holds one label on each line, in UTF-8.
        if "\n" in name or "\r" in name or not _is_utf8(name):
            raise DataError(
                f"{folder} has a subfolder {name!r}, which cannot be a label; rename it"
            )
    return ordered(names)


def _instead(folder: Path) -> str:
    """Give advice about a folder without classes, by the files in it."""
    files = sorted(path for path in _visible(folder) if path.is_file())
    for path in files:
        if path.name.lower().endswith(_DATA_SETS):
            return f"give {path} with --fin if that is the data set"
    if any(path.suffix.lower() in PICTURES for path in files):
        return "put its pictures into subfolders that are named by their classes"
    return "check --fin"


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _list(
    root: Path, folder: Path, labels: tuple[str, ...], train: Path
) -> list[_Picture]:
    """List the pictures of ``folder`` by class and, within a class, by name.

    Args:
        train: the folder whose subfolders are the labels.
    """
    names = {subfolder.name for subfolder in _subfolders(folder)}
    if unknown := sorted(names.difference(labels)):
        raise DataError(
            f"{root}: {(folder / unknown[0]).relative_to(root)}/ is a class that"
            f" {train.name}/ does not have; add it there or remove it"
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


def _read_images(
    root: Path, pictures: list[_Picture], max_bytes: int
) -> tuple[NDArray[np.uint8], list[str]]:
    """Read all images in one size and with the same channels, and note changes."""
    images: list[NDArray[np.uint8]] = []
    total = 0
    for picture in pictures:
        image = _read_image(root, picture.path)
        total += image.nbytes
        if total > max_bytes:
            raise DataError(
                f"{root} holds images of more than {max_bytes} bytes of pixels in all;"
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
    if path.is_dir():
        raise DataError(
            f"{root}: {path.relative_to(root)}/ is a folder inside a class; move its"
            " images up into the class's folder, or remove it"
        )
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
