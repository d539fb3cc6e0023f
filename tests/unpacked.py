"""Archives that lie in the clone are unpacked."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive into a folder."""
    # Debian 12 has Python 3.11.2, which knows no filters. Python 3.12 and 3.13 warn if
    # none is named.
    known = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as files:
        files.extractall(folder, **known)
