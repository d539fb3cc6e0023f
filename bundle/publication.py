"""The publication of a bundle: it is written and checked in staging, then shown whole.

The disk has all of a version before ONE rename makes the version visible.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

from bundle.errors import BundleError
from bundle.folder import open_whole
from bundle.params import MODEL_NAME
from bundle.staging import Staging, sync, sync_tree
from bundle.store_errors import no_number_left, store_error
from bundle.store_reader import StoreReader
from bundle.version import VERSION_NAME, Version, state_of

Write = Callable[[Path], None]
Check = Callable[[Path], str]


def check_whole(folder: Path) -> str:
    """Check that a folder is a whole bundle; return the name in its params.json.

    Raises:
        BundleError: it is none.
    """
    return open_whole(folder).params.name


@contextlib.contextmanager
def written(staging: Staging, write: Write, check: Check) -> Iterator[tuple[Path, str]]:
    """Write a bundle into a staging folder, and check it.

    Args:
        staging: the place of the folder, which is removed at the end of the block.
        write: fills an empty folder with the bundle's files.
        check: checks the bundle, and returns the model's name.

    Yields:
        The folder, and the model's name.

    Raises:
        BundleError: the folder is no whole bundle, or the name is none for a model.
        StoreError: the disk refuses a file, here or in the block.
    """
    try:
        with staging.folder() as staged:
            write(staged)
            name = check(staged)
            # The name becomes a part of a path, and may come from another process.
            if not MODEL_NAME.fullmatch(name):
                raise BundleError(f"{name[:128]!r} is no name for a model")
            yield staged, name
    except OSError as ex:
        raise store_error("written", ex) from ex


def publish(store: StoreReader, staged: Path, name: str) -> Version:
    """Make a folder the next version of a model in a folder of models.

    Args:
        store: the models.
        staged: the bundle, on the same file system.
        name: the model.

    Raises:
        ConflictError: the model has the highest number that a version may have.
        OSError: the disk refuses it, and nothing is published.
    """
    sync_tree(staged)
    # A rename keeps the state, and the model may be deleted right after it.
    state = state_of(staged)
    folder = store.root / name
    number = 0
    while True:
        number = max(number, *store.versions(name), 0) + 1
        published = folder / str(number)
        if not VERSION_NAME.fullmatch(published.name):
            raise no_number_left(name, number - 1)
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            staged.rename(published)
        except OSError as ex:
            # Somebody else published this number, or a stray file has its name: try
            # the next number.
            if ex.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue
            if ex.errno == errno.ENOTDIR and folder.is_dir():
                continue
            # Somebody deleted the whole model: begin at 1 again. A link that was
            # put there by hand, and whose target is missing, stays in the way.
            is_gone = ex.errno == errno.ENOENT and not folder.is_symlink()
            if is_gone and staged.is_dir():
                number = 0
                continue
            remove_if_empty(folder)
            raise
        try:
            sync(folder)
            sync(store.root)
        except FileNotFoundError:
            pass  # somebody deleted the model already
        except OSError:
            published.rename(staged)
            remove_if_empty(folder)
            raise
        return Version(name, number, published, state)


def remove_if_empty(folder: Path) -> None:
    """Remove a model's folder in which nothing is left."""
    with contextlib.suppress(OSError):
        folder.rmdir()
