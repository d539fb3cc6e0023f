"""A bundle on its way to a server: a folder, or an archive of one."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfaas_onnx.errors import WrongArgument
from tfaas_onnx.exchange import Body

_CHUNK = 1 << 18


@contextmanager
def opened(bundle: str | os.PathLike[str] | Body) -> Iterator[Body]:
    """Give the body of an upload.

    A folder becomes a tar in a temporary file, so that it can be sent again as it was.
    Files and folders whose names begin with a dot are left out.

    Args:
        bundle: a bundle's folder, a ``.tar``, ``.tar.gz`` or ``.zip`` of one, or a
            body.

    Raises:
        WrongArgument: the folder or the file cannot be read.
    """
    if isinstance(bundle, Body):
        yield bundle
        return
    path = Path(bundle)
    try:
        if not path.is_dir():
            yield _file(path)
            return
        with tempfile.TemporaryFile() as made:
            with tarfile.open(fileobj=made, mode="w", dereference=True) as tar:
                tar.add(path, path.resolve().name, filter=_visible)
            length = made.tell()

            def again() -> Iterator[bytes]:
                made.seek(0)
                while chunk := made.read(_CHUNK):
                    yield chunk

            yield Body(again, length)
    except OSError as ex:
        raise WrongArgument("bundle", f"{path} cannot be read: {ex.strerror}") from ex


def _file(path: Path) -> Body:
    def chunks() -> Iterator[bytes]:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk

    with path.open("rb"):  # a file that cannot be read fails before a connection
        return Body(chunks, path.stat().st_size)


def _visible(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name.startswith(".") else member
