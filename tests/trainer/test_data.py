"""Arrays of any format become one checked data set."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.data import DataSet, load_dataset
from trainer.errors import DataError


def _save(path: Path, **changes: NDArray[np.generic]) -> Path:
    arrays: dict[str, NDArray[np.generic]] = {
        "x_train": np.zeros((4, 12, 12), np.uint8),
        "y_train": np.array([0, 1, 0, 1]),
        "x_test": np.zeros((2, 12, 12), np.uint8),
        "y_test": np.array([0, 1]),
    }
    arrays.update(changes)
    np.savez(path, **arrays)
    return path


def test_embedded_mnist_is_the_published_one(mnist: DataSet) -> None:
    # The counts by class are published at http://yann.lecun.com/exdb/mnist/ and in any
    # table of MNIST, e.g. 5,923 zeros to train on and 980 to test on.
    assert mnist.x_train.shape == (60000, 28, 28, 1)
    assert mnist.x_test.shape == (10000, 28, 28, 1)
    assert mnist.x_train.dtype == np.uint8
    assert mnist.y_train.dtype == np.int64
    assert mnist.labels == tuple("0123456789")
    assert np.bincount(mnist.y_train)[0] == 5923
    assert np.bincount(mnist.y_test)[0] == 980
    # TFaaS's MNIST example has these two images.
    assert (mnist.y_train[3], mnist.y_train[2]) == (1, 4)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file or folder .*nothing\.npz"):
        load_dataset(tmp_path / "nothing.npz")


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["", "gzip"])
def test_empty_file_is_called_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is empty"):
        load_dataset(path)


@pytest.mark.parametrize(
    "content",
    [b"hello", gzip.compress(b"hello"), b"\x89PNG"],
    ids=["text", "gzip", "png"],
)
def test_unknown_content_lists_what_is_known(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"give an \.npz, a \.pkl\.gz, IDX files"):
        load_dataset(path)


def test_format_is_told_from_content_not_from_name(tmp_path: Path) -> None:
    path = _save(tmp_path / "data.npz").rename(tmp_path / "mnist.pkl.gz")
    assert load_dataset(path).image_shape == (12, 12, 1)


def test_gray_rows_become_square_images(tmp_path: Path) -> None:
    rows = np.arange(4 * 144, dtype=np.uint32).reshape(4, 144) % 256
    data = load_dataset(_save(tmp_path / "a.npz", x_train=rows))
    assert data.x_train.shape == (4, 12, 12, 1)
    assert data.x_train[0, 1, 0, 0] == 12  # The pixels go row by row.


@pytest.mark.parametrize("divisor", [255, 256])
def test_images_in_0_to_1_return_to_0_to_255(tmp_path: Path, divisor: int) -> None:
    whole = (np.arange(4 * 144).reshape(4, 12, 12) % 256).astype(np.float32)
    data = load_dataset(_save(tmp_path / "a.npz", x_train=whole / np.float32(divisor)))
    np.testing.assert_array_equal(data.x_train[..., 0], whole)


def test_whole_floats_are_pixels(tmp_path: Path) -> None:
    images = np.full((4, 12, 12), 200.0)
    assert load_dataset(_save(tmp_path / "a.npz", x_train=images)).x_train.max() == 200


def test_labels_of_one_column_are_labels(tmp_path: Path) -> None:
    # Keras's CIFAR-10 has such labels.
    path = _save(tmp_path / "a.npz", y_train=np.array([[0], [2], [1], [2]]))
    assert load_dataset(path).labels == ("0", "1", "2")


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0.0, 2.0, 1.0, 2.0]),
        np.array([0, 2, 1, 2], np.float16),
        np.array([[0], [2], [1], [2]], np.float32),
        np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]),
        np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]], bool),
    ],
    ids=["float64", "float16", "column", "one-hot", "one-hot bool"],
)
def test_class_numbers_may_be_of_any_dtype_and_form(
    tmp_path: Path, labels: NDArray[np.generic]
) -> None:
    data = load_dataset(_save(tmp_path / "a.npz", y_train=labels))
    assert data.y_train.tolist() == [0, 2, 1, 2]
    assert data.y_train.dtype == np.int64
    assert data.labels == ("0", "1", "2")


def test_true_and_false_are_two_classes(tmp_path: Path) -> None:
    labels = np.array([False, True, False, True])
    data = load_dataset(_save(tmp_path / "a.npz", y_train=labels))
    assert (data.y_train.tolist(), data.labels) == ([0, 1, 0, 1], ("0", "1"))


def test_one_hot_rows_keep_a_class_that_no_image_shows(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.npz", y_train=np.eye(3)[[0, 2, 0, 2]])
    data = load_dataset(path)
    assert data.labels == ("0", "1", "2")
    assert data.notes == (
        "class 1 has no training image; the model gets 3 outputs all the same",
    )


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_names_are_classes_in_order(tmp_path: Path, dtype: str) -> None:
    train = np.array(["dog", "cat", "ant", "cat"]).astype(dtype)
    test = np.array(["cat", "dog"]).astype(dtype)
    data = load_dataset(_save(tmp_path / "a.npz", y_train=train, y_test=test))
    assert data.labels == ("ant", "cat", "dog")
    assert data.y_train.tolist() == [2, 1, 0, 1]
    assert data.y_test.tolist() == [1, 2]


def test_names_that_are_numbers_are_ordered_by_value(tmp_path: Path) -> None:
    names = {"y_train": np.array(["10", "9", "2", "2"]), "y_test": np.array(["9", "2"])}
    data = load_dataset(_save(tmp_path / "a.npz", **names))
    assert data.labels == ("2", "9", "10")


def test_name_of_a_test_label_alone_is_refused(tmp_path: Path) -> None:
    names = {"y_train": np.array(["a", "b", "a", "b"]), "y_test": np.array(["a", "c"])}
    with pytest.raises(DataError, match="have 'c', which is no training label"):
        load_dataset(_save(tmp_path / "a.npz", **names))


def test_labels_that_begin_at_one_get_a_note(tmp_path: Path) -> None:
    data = load_dataset(_save(tmp_path / "a.npz", y_train=np.array([1, 2, 1, 2])))
    assert data.labels == ("0", "1", "2")
    assert data.notes == (
        "class 0 has no training image; the model gets 3 outputs all the same",
    )


def test_black_and_white_images_are_0_and_255(tmp_path: Path) -> None:
    images = np.zeros((4, 12, 12), bool)
    images[0, 0, 0] = True
    data = load_dataset(_save(tmp_path / "a.npz", x_train=images))
    assert data.x_train[0, 0, :2, 0].tolist() == [255, 0]


def _tar(mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w{mode}") as archive:
        archive.addfile(tarfile.TarInfo("cat/0.png"))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (_tar(""), "is a tar archive; unpack it"),
        (_tar(":gz"), "is a tar archive; unpack it"),
        (_tar(":bz2"), "is packed by bzip2; unpack it"),
        (_tar(":xz"), "is packed by xz; unpack it"),
        (b"\x89PNG\r\n", "is one picture; a data set is a folder"),
        (b"\xff\xd8\xff\xe0", "is one picture; a data set is a folder"),
        (b"\x93NUMPY\x01\x00", "is a single array of numpy; store images and"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS"),
    ],
    ids=lambda given: given[3:9] if isinstance(given, str) else "",
)
def test_other_file_is_called_what_it_is(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        load_dataset(path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"y_train": np.array([0, 1])}, "4 training images and 2 labels"),
        ({"y_test": np.array([0])}, "2 test images and 1 labels"),
        ({"y_train": np.array([1, 1, 1, 1])}, "of one class"),
        ({"y_test": np.array([0, 7])}, "a test label is 7"),
        ({"y_train": np.array([0, 1, 0, 10**6])}, "number the classes"),
        ({"y_train": np.array([0, 1, 0, -1])}, "whole numbers from 0"),
        ({"y_train": np.array([0, 1, 0, 0.5])}, "whole numbers from 0"),
        ({"y_train": np.array([0, 1, 0, np.nan])}, "one is nan; number the classes"),
        ({"y_train": np.array([0, 1, 0, 1e300])}, "one is 1e[+]300"),
        ({"y_train": np.array([0, 1, 0, 2**64 - 1], np.uint64)}, "one is 18446744"),
        ({"y_train": np.eye(4) + 1}, "are not one-hot rows"),
        ({"y_train": np.ones((4, 3))}, "are not one-hot rows"),
        ({"y_train": np.zeros((4, 3))}, "are not one-hot rows"),
        ({"y_train": np.zeros((4, 3, 2))}, "a class number for each image"),
        ({"y_train": np.array(3)}, "a class number for each image"),
        (
            {"y_train": np.zeros(4, complex)},
            "must be whole numbers from 0 on, or names",
        ),
        (
            {"y_train": np.array(["a", "b", "a", "b"])},
            "give numbers for both, or names for both",
        ),
        ({"y_test": np.array(["0", "1"])}, "give numbers for both, or names for both"),
        (
            {"y_train": np.array(["a", "b", "a", ""])},
            "have '', which cannot be a label",
        ),
        ({"y_train": np.array([b"a", b"b", b"a", b"\xff"])}, "no text in UTF-8"),
        ({"x_train": np.zeros((4, 3, 12, 12), np.uint8)}, "channels before height"),
        ({"x_test": np.zeros((2, 13, 12), np.uint8)}, "their sizes must be equal"),
        ({"x_test": np.zeros((0, 12, 12)), "y_test": np.zeros(0, int)}, "no test"),
        ({"x_train": np.zeros((0, 12, 12)), "y_train": np.zeros(0, int)}, "no train"),
        ({"x_train": np.zeros((4, 143), np.uint8)}, "have the shape"),
        ({"x_train": np.zeros((4, 12, 12, 2), np.uint8)}, "have the shape"),
        ({"x_train": np.full((4, 12, 12), 256)}, "reach from 256 to 256"),
        ({"x_train": np.full((4, 12, 12), -1)}, "reach from -1"),
        ({"x_train": np.full((4, 12, 12), np.nan)}, "have nan in image 0"),
        ({"x_train": np.full((4, 12, 12), 1.5)}, "fractions beyond 1"),
        ({"x_train": np.full((4, 12, 12), "a")}, "must be numbers"),
        ({"x_train": np.full((4, 12, 12), 1j)}, "must be numbers"),
    ],
)
def test_unfit_arrays_are_refused(
    tmp_path: Path, changes: dict[str, NDArray[np.generic]], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        load_dataset(_save(tmp_path / "a.npz", **changes))
