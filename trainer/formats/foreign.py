"""Files that are no data set, recognized by their first bytes, with advice for each."""

from __future__ import annotations

from bundle.foreign import ARCHIVES, HDF5, PACKED
from bundle.tarball import is_header

_UNPACK = "unpack it, and give the folder or the file that was in it"
_PICTURE = "a data set is a folder of pictures with one subfolder a class"
_ARRAYS = (
    "store images and labels in one .npz by numpy.savez, named x_train, y_train,"
    " x_test and y_test"
)

# Each format's description names its first bytes.
_KINDS = (
    *((mark, f"packed by {kind}", _UNPACK) for mark, kind in PACKED.items()),
    *((mark, f"a {kind} archive", _UNPACK) for mark, kind in ARCHIVES.items()),
    (b"\x89PNG", "one picture", _PICTURE),
    (b"\xff\xd8\xff", "one picture", _PICTURE),
    (b"GIF8", "one picture", _PICTURE),
    (b"BM", "one picture", _PICTURE),
    (b"\x93NUMPY", "a single array of numpy", _ARRAYS),
    (HDF5, "an HDF5 file", _ARRAYS),
    (b"MATLAB 5.0", "a MATLAB file", _ARRAYS),
    (b"PAR1", "a Parquet file", _ARRAYS),
    (b"<", "a web page, or other XML", "fetch the data set's own file"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch it by git lfs pull"),
)


def advice(head: bytes) -> tuple[str, str] | None:
    """Give the kind of a file and advice about it; None if the kind is not known.

    Args:
        head: the file's first ``bundle.archive.HEAD`` bytes, ungzipped, or all of them.
    """
    if is_header(head):
        return "a tar archive", _UNPACK
    for mark, kind, what_to_do in _KINDS:
        if head.startswith(mark):
            return kind, what_to_do
    return None
