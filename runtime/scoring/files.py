"""Inputs that are files: whether they can be read, and whether they changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from bundle.objects.address import Place
from runtime.admin.errors import AdminError


def identity_of(paths: Iterable[Path | str]) -> str:
    """Compute a digest of the names, sizes and times of files.

    Their bytes are not read, because that may take as long as scoring them. A file that
    is not there, as a list of pictures may name one, has no size and no time.
    """
    digest = hashlib.sha256(os.fsencode(Path.cwd()))
    for path in paths:
        digest.update(os.fsencode(path) + b"\0")
        try:
            status = os.stat(path)  # noqa: PTH116 Path.stat takes twice as long
        except (OSError, ValueError):  # a name with a zero byte is none
            continue
        digest.update(b"%d %d\n" % (status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


def text_of(path: Path | str) -> str:
    """Return a path as a text, also if its bytes are not UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def check_readable(path: Path) -> None:
    """Check that a file is there and can be read.

    Raises:
        AdminError: it cannot.
    """
    try:
        if not path.is_file():
            problem = "is no file" if path.exists() else "is not there"
            raise AdminError(f"{text_of(path)} {problem}")
        with path.open("rb"):
            pass
    except OSError as ex:
        raise unreadable(path, ex) from ex


def unreadable(path: Path, ex: OSError) -> AdminError:
    """Make the error of a file, or folder, that the system does not let read."""
    return AdminError(f"{text_of(path)} cannot be read: {ex.strerror}")


def rejects_of(out: Place) -> Place:
    """Return the file of the rejected items that stands beside an output."""
    if isinstance(out, Path):
        return out.with_name(f"{out.stem}.rejects.csv") if out.name else out
    above, _, name = out.rpartition("/")
    return f"{above}/{Path(name).stem}.rejects.csv"
