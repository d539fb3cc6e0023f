"""A folder of versions, ``NAME/1/…``, as TensorFlow Serving and Triton read one.

Both serve the version with the highest number.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bundle.leftovers import is_leftover
from bundle.params import FILE_NAME as PARAMS

# TensorFlow Serving takes leading zeros, because its early exporters wrote 00000123.
_NUMBER = re.compile(r"[0-9]{1,18}")


def newest_version(folder: Path) -> Path | None:
    """Find the highest version in a folder of versions; None if the folder is none.

    A folder of versions has folders whose names are numbers, and neither a params.json
    nor a graph. A folder with one of these is itself a bundle, even if numbered folders
    lie in it.

    Raises:
        OSError: the folder cannot be read.
    """
    entries = [path for path in folder.iterdir() if not is_leftover(path.name)]
    if any(path.name == PARAMS or path.suffix in (".pb", ".onnx") for path in entries):
        return None
    versions = [
        path for path in entries if _NUMBER.fullmatch(path.name) and path.is_dir()
    ]
    return max(versions, key=lambda path: (int(path.name), path.name), default=None)


def lift_newest(folder: Path) -> None:
    """Replace a folder of versions by its highest version; keep any other folder."""
    newest = newest_version(folder)
    if newest is not None:
        lift(newest, folder)


def lift(inner: Path, folder: Path) -> None:
    """Replace the content of a folder by the content of one of its folders."""
    # A file of the inner folder may have the folder's own name, so it is renamed first.
    # No other name begins with a dot here.
    lifted = inner.rename(folder / ".lifted")
    for path in folder.iterdir():
        if path == lifted:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in lifted.iterdir():
        path.rename(folder / path.name)
    lifted.rmdir()
