"""The four files that MNIST is published in."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.data import load_dataset
from trainer.errors import DataError
from trainer.formats import Arrays, content

# Of the uncompressed files, as published; trainer/data/LICENSE.md.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def _idx(array: NDArray[np.uint8]) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def _files(arrays: Arrays) -> dict[str, bytes]:
    return {
        name: _idx(array) for name, array in zip(MD5, list(arrays)[:4], strict=True)
    }


@pytest.fixture
def folder(few: Arrays, tmp_path: Path) -> Path:
    for name, data in _files(few).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def _assert_is(few: Arrays, path: Path) -> None:
    data = load_dataset(path)
    np.testing.assert_array_equal(data.x_train[..., 0], few.x_train)
    np.testing.assert_array_equal(data.y_train, few.y_train)
    np.testing.assert_array_equal(data.x_test[..., 0], few.x_test)
    np.testing.assert_array_equal(data.y_test, few.y_test)


def test_published_files_are_read_as_the_embedded_arrays(
    mnist_arrays: Arrays, tmp_path: Path
) -> None:
    for name, data in _files(mnist_arrays).items():
        # The checksums prove that what is read here is what LeCun published.
        assert hashlib.md5(data).hexdigest() == MD5[name]
        (tmp_path / name).write_bytes(data)
    _assert_is(mnist_arrays, tmp_path)


@pytest.mark.parametrize("name", MD5)
def test_any_of_the_four_names_all(few: Arrays, folder: Path, name: str) -> None:
    _assert_is(few, folder / name)


def test_siblings_may_be_gzipped_or_spelled_with_a_dot(
    few: Arrays, folder: Path
) -> None:
    images = folder / "train-images-idx3-ubyte"
    (folder / "train-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(images.read_bytes(), 1)
    )
    images.unlink()
    (folder / "t10k-labels-idx1-ubyte").rename(folder / "t10k-labels.idx1-ubyte")
    _assert_is(few, folder)
    _assert_is(few, folder / "train-images-idx3-ubyte.gz")
    _assert_is(few, folder / "t10k-labels.idx1-ubyte")


def test_the_file_that_is_given_is_the_one_that_is_read(
    few: Arrays, folder: Path
) -> None:
    other = np.where(few.y_train == 3, 5, few.y_train).astype(np.uint8)
    gzipped = folder / "train-labels-idx1-ubyte.gz"
    gzipped.write_bytes(gzip.compress(_idx(other), 1))
    np.testing.assert_array_equal(load_dataset(gzipped).y_train, other)


@pytest.mark.parametrize("name", MD5)
def test_missing_sibling_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"lacks {name}"):
        load_dataset(folder)


def test_other_name_cannot_tell_its_siblings(folder: Path) -> None:
    path = (folder / "train-images-idx3-ubyte").rename(folder / "digits")
    with pytest.raises(DataError, match="name it as MNIST does"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("size", "sentence"),
    [(0, "is empty"), (3, "not an IDX file"), (9, "cut short"), (999, "bytes of data")],
)
def test_truncated_file_is_named(folder: Path, size: int, sentence: str) -> None:
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=f"train-images-idx3-ubyte .*{sentence}"):
        load_dataset(folder)


def test_truncated_gzip_is_named(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte"
    cut = gzip.compress(path.read_bytes(), 1)[:-100]
    path.with_name(f"{path.name}.gz").write_bytes(cut)
    path.unlink()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is cut short"):
        load_dataset(folder)


def test_labels_in_place_of_images_are_refused(folder: Path) -> None:
    shutil.copy(folder / "train-labels-idx1-ubyte", folder / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match="is not an IDX file of images"):
        load_dataset(folder)


def test_lying_header_is_refused(folder: Path) -> None:
    header = struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    (folder / "train-images-idx3-ubyte").write_bytes(header)
    with pytest.raises(DataError, match="its header says"):
        load_dataset(folder)


@pytest.mark.parametrize(
    "shape", [(0, 2**32 - 1, 2**32 - 1), (2**32 - 1, 0, 2**32 - 1)]
)
def test_a_header_of_nothing_and_of_terabytes_is_refused(
    folder: Path, shape: tuple[int, int, int]
) -> None:
    header = struct.pack(">HBB3I", 0, 8, 3, *shape)
    (folder / "train-images-idx3-ubyte").write_bytes(header)
    with pytest.raises(DataError, match="holds nothing, and its header says"):
        load_dataset(folder)


def test_gzip_bomb_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_BYTES", 10_000)
    with pytest.raises(DataError, match="unpacks to more than 10000 bytes"):
        load_dataset(folder)
