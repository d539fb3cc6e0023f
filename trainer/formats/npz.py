"""``mnist.npz``: numpy's archive, with the names that Keras gives its data sets."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import MAX_BYTES

ZIP = b"PK\x03\x04"

_NAMES = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> Arrays:
    """Read ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Raises:
        DataError: it is damaged, too large, lacks one of them, or holds objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise DataError(f"{path} unpacks to more than {MAX_BYTES} bytes")
        # Without pickle: an .npz of objects would run what its author wrote.
        with np.load(path, allow_pickle=False) as archive:
            return Arrays(*(archive[name] for name in _NAMES))
    except KeyError as ex:
        raise DataError(
            f"{path} lacks one of the arrays {', '.join(_NAMES)}; it must hold all four"
        ) from ex
    except ValueError as ex:
        raise DataError(
            f"{path} holds something else than whole arrays of numbers; make it with"
            " numpy.savez from numbers alone"
        ) from ex
    # zipfile raises RuntimeError for a locked archive, NotImplementedError for an
    # unknown compression, and zlib its own; numpy asks for as much memory as a
    # header claims.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, MemoryError) as ex:
        raise DataError(
            f"{path} is a damaged .npz file, or is cut short; fetch it again"
        ) from ex
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex
