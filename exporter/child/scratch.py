"""A folder for results before they are published, and for the engines' own files.

It is not inside the source's folder, because a service loads a model again when its
folder changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bundle.scratch import scratch_folder
from exporter.errors import WorkFailed


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder until the end; also remove folders of killed processes.

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
