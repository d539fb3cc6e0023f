"""A reader of numpy's archives, such as ``mnist.npz``, by the names of their arrays.

Keras has the names ``x_train y_train x_test y_test``, and MedMNIST has ``train_images
val_images`` and so on. Data without parts has names such as ``images labels``, ``X y``
or ``data target``.
"""

from __future__ import annotations

import re
import tokenize
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from bundle.decode import PICTURES
from bundle.leftovers import lies_in_leftover
from bundle.zipball import METHODS
from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.idx import is_idx_name
from trainer.formats.npz_members import SUFFIX, Members
from trainer.formats.parts import SPELLINGS, VALID_TESTS, VALID_TRAINS, Part

_IMAGES = ("x", "image", "images", "img", "imgs", "data", "features", "pixels")
_LABELS = ("y", "label", "labels", "target", "targets", "class", "classes")
_ROLES = {
    **dict.fromkeys(_IMAGES, "images"),
    **dict.fromkeys(_LABELS, "labels"),
}
_WANTED = (
    "x_train, y_train, x_test and y_test, or only images and labels, and then some of"
    " them are held out to test on"
)

# An array's place is its part (None if the data has no parts) and its role.
_Place = tuple[Part | None, str]


def read_npz(path: Path, max_bytes: int) -> Arrays:
    """Read the images and labels of each part.

    Args:
        path: the file.
        max_bytes: images of more bytes are unpacked to disk.

    Returns:
        The arrays with the shapes and dtypes of the file.

    Raises:
        DataError: the file is damaged, holds objects, has unknown names of arrays, or
            is a zip of something else.
        WriteFailed: the disk refuses the images.
    """
    try:
        with zipfile.ZipFile(path) as zipped:
            names = zipped.namelist()
            if not any(name.endswith(SUFFIX) for name in names):
                raise DataError(_of_a_zip(path, names))
            # Other compressions raise errors of their own.
            if any(info.compress_type not in METHODS for info in zipped.infolist()):
                raise ValueError("no compression of numpy's")
            # Pickle is off, because an .npz with objects can run any code of its
            # author.
            with np.load(path, allow_pickle=False) as archive:
                places = _places(path, archive.files)
                others = set(archive.files) - set(places.values())
                members = Members(path, zipped, archive, max_bytes)
                return _arranged(places, others, members)
    # numpy and Python's parser raise these errors if a header is no tuple of small
    # whole numbers.
    except (
        ValueError,
        TypeError,
        OverflowError,
        SyntaxError,
        RecursionError,
        tokenize.TokenError,
    ) as ex:
        raise DataError(
            f"{path} holds something else than whole arrays of numbers; make it with"
            " numpy.savez from numbers alone"
        ) from ex
    # zipfile raises RuntimeError for an encrypted archive and KeyError for a missing
    # member. numpy raises MemoryError if a header claims too much.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        KeyError,
        RuntimeError,
        MemoryError,
    ) as ex:
        raise DataError(
            f"{path} is a damaged .npz file, or is cut short; fetch it again"
        ) from ex
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex


def _of_a_zip(path: Path, names: list[str]) -> str:
    files = [
        PurePosixPath(name)
        for name in names
        if not name.endswith("/") and not lies_in_leftover(PurePosixPath(name).parts)
    ]
    if any(file.suffix.lower() in PICTURES for file in files):
        return (
            f"{path} is a zip of pictures; unpack it, and give the folder that has one"
            " subfolder a class"
        )
    if any(is_idx_name(file.name) for file in files):
        return f"{path} is a zip of IDX files; unpack it, and give their folder"
    held = f"holds {files[0].name!r}" if files else "is empty"
    return (
        f"{path} is a zip, but no .npz: it {held} and no arrays of numpy; if a data set"
        " is in it, unpack it and give its folder"
    )


def _places(path: Path, names: list[str]) -> dict[_Place, str]:
    """Find the place of each array by its name.

    Raises:
        DataError: an array that is needed is missing, or two names mean the same.
    """
    places: dict[_Place, str] = {}
    for name in names:
        place = place_of(name)
        if place is None:
            continue
        if place in places:
            raise DataError(
                f"{path} holds the arrays {places[place]} and {name}, which mean the"
                " same here; leave one of them out"
            )
        places[place] = name
    parted = {(part, role) for part, role in places if part}
    # If there are parts, arrays without a part are a copy of them, or something else.
    wanted = {place: places[place] for place in (parted or places)}
    parts = {part for part, _ in wanted}
    whole = all((part, role) in wanted for part in parts for role in _ROLES.values())
    if not whole or not parts & {"train", None}:
        raise DataError(
            f"{path} holds the arrays {', '.join(names)}; wanted are {_WANTED}"
        )
    return wanted


def place_of(name: str) -> _Place | None:
    """Find an array's place by its name: ``x_train``, ``trainX``, ``Train images``."""
    joined = re.sub(r"[^a-z0-9]", "", name.lower())
    if joined in _ROLES:
        return None, _ROLES[joined]
    for spelt, part in SPELLINGS.items():
        for rest in (joined.removeprefix(spelt), joined.removesuffix(spelt)):
            if rest != joined and rest in _ROLES:
                return part, _ROLES[rest]
    return None


def _arranged(places: dict[_Place, str], others: set[str], members: Members) -> Arrays:
    notes = []
    if others:
        several = len(others) > 1
        notes.append(
            f"the array{'s' if several else ''} {', '.join(sorted(others))}"
            f" {'were' if several else 'was'} passed over"
        )
    first: Part | None = "train" if ("train", "images") in places else None
    train: list[Part | None] = [first]
    test: list[Part | None] = []
    if ("test", "images") in places:
        test = ["test"]
        if ("valid", "images") in places:
            train.append("valid")
            notes.append(VALID_TRAINS)
    elif ("valid", "images") in places:
        test = ["valid"]
        notes.append(VALID_TESTS)

    def names(parts: list[Part | None], role: str) -> list[str]:
        return [places[part, role] for part in parts]

    members.weigh(names([*train, *test], "images"))
    return Arrays(
        members.images(names(train, "images")),
        members.labels(names(train, "labels")),
        members.images(names(test, "images")) if test else None,
        members.labels(names(test, "labels")) if test else None,
        None,
        tuple(notes),
    )
