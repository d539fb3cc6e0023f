"""A folder for what is made before it is published, and for all that engines leave.

It is not in the source's folder: what is written there has a service load the model
anew.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bundle.staging import Staging
from exporter.errors import ExportError


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder; it goes at the end, and what killed processes left goes.

    Raises:
        ExportError: the folder for temporary files cannot be used.
    """
    with ExitStack() as stack:
        try:
            staging = Staging(_place())
            staging.sweep()
            folder = stack.enter_context(staging.folder())
        except OSError as ex:
            raise ExportError(
                f"no temporary file can be written: {ex.strerror}; set TMPDIR to a"
                " folder that can be written"
            ) from ex
        yield folder


def _place() -> Path:
    place = Path(tempfile.gettempdir(), f"tfaas-exporter-{os.getuid()}")
    place.mkdir(mode=0o700, exist_ok=True)
    # The name is no secret: somebody else's folder would let him change what is proved.
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        raise ExportError(
            f"{place} belongs to somebody else; remove it, or set TMPDIR to a folder of"
            " your own"
        )
    return place
