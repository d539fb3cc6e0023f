"""A folder of versions, ``NAME/1/…``, as TensorFlow Serving and Triton read one.

The highest number is the one that they serve.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bundle.leftovers import is_leftover
from bundle.params import FILE_NAME as PARAMS

# TensorFlow Serving takes leading zeros, too: its exporters wrote 00000123 once.
_NUMBER = re.compile(r"[0-9]{1,18}")


def newest_version(folder: Path) -> Path | None:
    """The highest version in a folder of versions; None if the folder is none.

    It has folders that are called by numbers, and neither a params.json nor a graph of
    its own: with these it is a bundle, beside whose files numbered folders may lie.

    Raises:
        OSError: it cannot be read.
    """
    entries = [path for path in folder.iterdir() if not is_leftover(path.name)]
    if any(path.name == PARAMS or path.suffix in (".pb", ".onnx") for path in entries):
        return None
    versions = [
        path for path in entries if _NUMBER.fullmatch(path.name) and path.is_dir()
    ]
    return max(versions, key=lambda path: (int(path.name), path.name), default=None)


def lift_newest(folder: Path) -> None:
    """Let a folder of versions become the highest of them; others are left alone."""
    newest = newest_version(folder)
    if newest is None:
        return
    # A file of the version may be called as the version is; no name begins so there.
    lifted = newest.rename(folder / ".newest")
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
