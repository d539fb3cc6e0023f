"""The format of a data set is found by its content, and its images get one form."""

from __future__ import annotations

from pathlib import Path

from bundle.archive import HEAD
from bundle.zipball import MAGIC as ZIP
from trainer.errors import DataError
from trainer.formats import Arrays, Form
from trainer.formats.content import read_head
from trainer.formats.folder import read_folder
from trainer.formats.foreign import advice
from trainer.formats.idx import MAGIC, is_idx_name, read_idx
from trainer.formats.image_list import read_image_list
from trainer.formats.npz import read_npz
from trainer.formats.pickled import read_pickle
from trainer.pixels import brought, pixels

# IDX files are searched this many folders deep, so that an error can name their folder.
_DEPTH = 3

# A pickle begins with its protocol's instruction. Pickles of older protocols begin with
# a tuple, a list or a global name.
_PICKLE = (b"\x80", b"(", b"]", b"c")

# A text has no first bytes of its own, so the name tells that it is a list.
_LISTS = (".csv", ".tsv")

_KNOWN = (
    "an .npz, a .pkl.gz, IDX files, a folder of images, or a .csv of paths and labels"
)


def read_data(
    path: Path, form: Form, max_bytes: int, label: str | None = None
) -> Arrays:
    """Read a data set of any format.

    Args:
        path: an ``.npz`` file, a ``mnist.pkl.gz``, IDX files (their folder or one of
            them), a folder of images with one subfolder for each class, or a CSV of
            paths and labels.
        form: the form that all images get.
        max_bytes: images of more bytes are kept on disk.
        label: the column of a CSV's labels; None finds it by its usual names. Other
            formats have no columns.

    Returns:
        Images ``(N, H, W, C)`` uint8, and labels as the file has them.

    Raises:
        DataError: the data set is missing, empty, cut short or damaged, or has another
            format, or images that are no pixels.
        WriteFailed: the disk refuses the images.
    """
    if path.is_dir():
        if not _holds_idx(path):
            return read_folder(path, form, max_bytes)
        return _formed(read_idx(path, max_bytes), path, form)
    if is_list(path):
        return read_image_list(path, form, max_bytes, label)
    return _formed(_read_file(path, max_bytes), path, form)


def is_list(path: Path) -> bool:
    """Tell by its name whether a file lists pictures in columns."""
    return path.suffix.lower() in _LISTS and path.is_file()


def _read_file(path: Path, max_bytes: int) -> Arrays:
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
    # This comes before pickles, because a tar begins with a name, which may begin as a
    # pickle does.
    if told := advice(head):
        kind, what_to_do = told
        raise DataError(f"{path} is {kind}; {what_to_do} (give {_KNOWN})")
    if head.startswith(_PICKLE):
        return read_pickle(path)
    raise DataError(f"{path} is no data set of a known format; give {_KNOWN}")


def _holds_idx(path: Path) -> bool:
    try:
        names = [entry.name for entry in path.iterdir()]
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex
    if any(is_idx_name(name) for name in names):
        return True
    if below := _idx_below(path):
        raise DataError(
            f"{path} holds IDX files in {below.relative_to(path)}/; give {below}"
        )
    return False


def _idx_below(folder: Path) -> Path | None:
    """Find a subfolder of IDX files, such as the ``MNIST/raw`` that PyTorch makes."""
    for depth in range(1, _DEPTH + 1):
        for path in sorted(folder.glob("/".join("*" * depth) + "/*-ubyte*")):
            if is_idx_name(path.name):
                return path.parent
    return None


def _formed(arrays: Arrays, source: Path, form: Form) -> Arrays:
    x_train = pixels(arrays.x_train, f"{source}: the training images")
    x_test = None
    if arrays.x_test is not None:
        x_test = brought(pixels(arrays.x_test, f"{source}: the test images"), form)
    return arrays._replace(x_train=brought(x_train, form), x_test=x_test)
