"""A disk's refusal is told, even when a library's own error hides it."""

from __future__ import annotations

import errno
import os

import pytest

from bundle.disk import as_disk_error, is_refusal, refusal

# TensorFlow 2.21 and h5py 3 wrote these messages when a disk was full.
TENSORFLOW = (
    "{{function_node __wrapped__SaveV2_device_/job:localhost/device:CPU:0}} /a/.staging"
    "/part-00000-of-00001.data-00000-of-00001.tempstate1; No space left on device"
    " [Op:SaveV2]"
)
HDF5 = (
    "[Errno 28] Can't synchronously write data (file write failed: time = Mon, filename"
    " = 'a.h5', file descriptor = 5, errno = 28, error message = 'No space left on"
    " device', buf = 0x1, total write size = 2048)"
)


@pytest.mark.parametrize("text", [TENSORFLOW, HDF5])
@pytest.mark.parametrize("kind", [OSError, RuntimeError])
def test_refusal_is_found_in_a_librarys_text(kind: type[Exception], text: str) -> None:
    found = as_disk_error(kind(text))
    assert found is not None
    assert (found.errno, found.strerror) == (errno.ENOSPC, "No space left on device")
    assert is_refusal(found)


def test_hdf5s_text_gives_way_to_the_kernels() -> None:
    found = as_disk_error(OSError(errno.ENOSPC, HDF5))
    assert found is not None
    assert (found.errno, found.strerror) == (errno.ENOSPC, "No space left on device")


def test_other_errors_of_libraries_are_no_disks() -> None:
    assert as_disk_error(RuntimeError("shapes (3,) and (4,) do not match")) is None


def test_a_path_that_is_wrong_is_no_refusal() -> None:
    missing = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    assert not is_refusal(missing)
    assert refusal(missing, "give another") == "No such file or directory; give another"
