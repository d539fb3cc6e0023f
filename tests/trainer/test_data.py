"""Arrays of any format become one checked data set."""

from __future__ import annotations

import gzip
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
    # Counts by class as published: http://yann.lecun.com/exdb/mnist/ and any table
    # of MNIST, e.g. 5,923 zeros to train on and 980 to test on.
    assert mnist.x_train.shape == (60000, 28, 28, 1)
    assert mnist.x_test.shape == (10000, 28, 28, 1)
    assert mnist.x_train.dtype == np.uint8
    assert mnist.y_train.dtype == np.int64
    assert mnist.labels == tuple("0123456789")
    assert np.bincount(mnist.y_train)[0] == 5923
    assert np.bincount(mnist.y_test)[0] == 980
    # The two images of TFaaS's MNIST example.
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
    assert data.x_train[0, 1, 0, 0] == 12  # row by row


@pytest.mark.parametrize("divisor", [255, 256])
def test_images_in_0_to_1_return_to_0_to_255(tmp_path: Path, divisor: int) -> None:
    whole = (np.arange(4 * 144).reshape(4, 12, 12) % 256).astype(np.float32)
    data = load_dataset(_save(tmp_path / "a.npz", x_train=whole / np.float32(divisor)))
    np.testing.assert_array_equal(data.x_train[..., 0], whole)


def test_whole_floats_are_pixels(tmp_path: Path) -> None:
    images = np.full((4, 12, 12), 200.0)
    assert load_dataset(_save(tmp_path / "a.npz", x_train=images)).x_train.max() == 200


def test_labels_of_one_column_are_labels(tmp_path: Path) -> None:
    # As CIFAR-10 of Keras has them.
    path = _save(tmp_path / "a.npz", y_train=np.array([[0], [2], [1], [2]]))
    assert load_dataset(path).labels == ("0", "1", "2")


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
        ({"y_train": np.eye(4)}, "a class number for each image"),
        ({"x_test": np.zeros((2, 13, 12), np.uint8)}, "must be alike"),
        ({"x_test": np.zeros((0, 12, 12)), "y_test": np.zeros(0, int)}, "no test"),
        ({"x_train": np.zeros((0, 12, 12)), "y_train": np.zeros(0, int)}, "no train"),
        ({"x_train": np.zeros((4, 143), np.uint8)}, "have the shape"),
        ({"x_train": np.zeros((4, 12, 12, 2), np.uint8)}, "have the shape"),
        ({"x_train": np.full((4, 12, 12), 256)}, "reach from 256 to 256"),
        ({"x_train": np.full((4, 12, 12), -1)}, "reach from -1"),
        ({"x_train": np.full((4, 12, 12), np.nan)}, "reach from nan"),
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
