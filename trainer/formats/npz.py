"""``mnist.npz``: numpy's archive, with the names that Keras gives its data sets."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from trainer.errors import DataError
from trainer.formats import Arrays
from trainer.formats.content import MAX_BYTES

ZIP = b"PK\x03\x04"

# What numpy.savez and savez_compressed write. Others have errors of their own.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_NAMES = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> Arrays:
    """Read ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Raises:
        DataError: it is damaged, too large, lacks one of them, or holds objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        if sum(member.file_size for member in members) > MAX_BYTES:
            raise DataError(f"{path} unpacks to more than {MAX_BYTES} bytes")
        if any(member.compress_type not in _COMPRESSIONS for member in members):
            raise ValueError("no compression of numpy's")
        # Without pickle: an .npz of objects would run what its author wrote.
        with np.load(path, allow_pickle=False) as archive:
            arrays = [archive[name] for name in _NAMES]
        # A member that is no array comes as its bytes.
        if not all(isinstance(array, np.ndarray) for array in arrays):
            raise ValueError("no array")
        return Arrays(*arrays)
    except KeyError as ex:
        raise DataError(
            f"{path} lacks one of the arrays {', '.join(_NAMES)}; it must hold all four"
        ) from ex
    # Where a header is no tuple of small whole numbers, numpy and Python's parser trip
    # over it in their ways.
    except (
        ValueError,
        TypeError,
        OverflowError,
        SyntaxError,
        RecursionError,
        tokenize.TokenError,
    ) as ex:
        raise DataError(
            f"{path} holds something else than whole arrays of numbers; make it with"
            " numpy.savez from numbers alone"
        ) from ex
    # zipfile raises RuntimeError for a locked archive, and zlib its own; numpy asks for
    # as much memory as a header claims.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, MemoryError) as ex:
        raise DataError(
            f"{path} is a damaged .npz file, or is cut short; fetch it again"
        ) from ex
    except OSError as ex:
        raise DataError(f"{path} cannot be read: {ex.strerror}") from ex
