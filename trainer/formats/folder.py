"""A reader of a folder of images with one subfolder for each class.

The folder may have the parts ``train/`` and ``test/``. The names of parts have several
spellings; see ``trainer.formats.parts``. The images tell their size and channels, and
the folders tell the names of the classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bundle.decode import PICTURES
from bundle.leftovers import is_leftover
from trainer.classes import ordered
from trainer.errors import DataError
from trainer.formats import Arrays, Form
from trainer.formats.parts import VALID_TESTS, VALID_TRAINS, Part, part_of
from trainer.formats.pictures import Picture, read_pictures
from trainer.images import choose

# Files with these endings may be a data set, or contain one.
_DATA_SETS = (".npz", ".pkl.gz", ".zip", ".tar", ".tar.gz", ".tgz", ".csv")


def read_folder(root: Path, form: Form, max_bytes: int) -> Arrays:
    """Read a folder of images.

    The files are sorted by their names, so the order does not depend on the file
    system.

    Args:
        root: the folder.
        form: the form that all images get; see ``read_pictures``.
        max_bytes: pixels of more bytes are kept on disk.

    Returns:
        Images ``(N, H, W, C)`` uint8, and their class numbers ``(N,)`` int64. The
        labels are the subfolders' sorted names (numbers sorted by their value). The
        notes tell which files were passed over, skipped, resized or taken as colour.

    Raises:
        DataError: there are no classes, or a class is empty or has folders, or too many
            files are no images. The sentence names a path below ``root``.
        WriteFailed: the disk refuses the pixels.
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
    listed = [*train, *test]
    album = read_pictures(root, [picture for picture, _ in listed], form, max_bytes)
    notes = [*said, *album.notes]
    if beside := _files_beside(root, *parts.values()):
        notes.append(
            f"{beside} {'file' if beside == 1 else 'files'} beside the class folders"
            f" {'was' if beside == 1 else 'were'} passed over"
        )
    numbers = np.array([number for _, number in listed], np.int64)[album.places]
    count = int(np.searchsorted(album.places, len(train)))
    return Arrays(
        choose(album.images, slice(None, count)),
        numbers[:count],
        choose(album.images, slice(count, None)) if test else None,
        numbers[count:] if test else None,
        labels,
        tuple(notes),
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
) -> list[tuple[Picture, int]]:
    """List the pictures of ``folder`` by class and, within a class, by name.

    Args:
        train: the folder whose subfolders are the labels.

    Returns:
        The pictures, each with its class number.
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
        for path in paths:
            name = str(path.relative_to(root))
            if path.is_dir():
                raise DataError(
                    f"{root}: {name}/ is a folder inside a class; move its images up"
                    " into the class's folder, or remove it"
                )
            pictures.append((Picture(path, name), number))
    return pictures
