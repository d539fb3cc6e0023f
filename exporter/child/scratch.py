"""A folder for what is made before it is published, and for all that engines leave.

It is not in the source's folder: what is written there has a service load the model
anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bundle.scratch import scratch_folder
from exporter.errors import WorkFailed


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder; it goes at the end, and what killed processes left goes.

    Raises:
        WorkFailed: the folder for temporary files cannot be used.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch_folder("tfaas-exporter"))
        except OSError as ex:
            raise WorkFailed(
                f"no temporary file can be written: {ex.strerror}; set TMPDIR to a"
                " folder that can be written"
            ) from ex
        yield folder
