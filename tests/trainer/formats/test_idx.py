"""MNIST is published in four files."""

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
from trainer.formats import Arrays

# The digests are of the uncompressed files, as published; see trainer/data/LICENSE.md.
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


EMNIST = ("letters", "balanced", "byclass", "bymerge", "digits", "mnist")


def _emnist(folder: Path, of: str, arrays: Arrays, suffix: str = ".gz") -> None:
    """Write four files as NIST does: pixels by column, and the test part so named."""
    names = (
        f"emnist-{of}-{part}-{content}-{axes}-ubyte{suffix}"
        for part in ("train", "test")
        for content, axes in (("images", "idx3"), ("labels", "idx1"))
    )
    for name, array in zip(names, list(arrays)[:4], strict=True):
        stored = np.swapaxes(array, 1, 2) if array.ndim == 3 else array
        data = _idx(np.ascontiguousarray(stored))
        (folder / name).write_bytes(gzip.compress(data, 1) if suffix else data)


@pytest.mark.parametrize("of", EMNIST)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_emnist_is_read_upright_with_a_note(
    few: Arrays, tmp_path: Path, of: str, suffix: str
) -> None:
    _emnist(tmp_path, of, few, suffix)
    _assert_is(few, tmp_path)
    (note,) = load_dataset(tmp_path).notes
    assert "EMNIST's images are stored by column" in note


def test_labels_of_emnists_letters_begin_at_one(few: Arrays, tmp_path: Path) -> None:
    letters = few._replace(y_train=few.y_train + 1, y_test=few.y_test + 1)
    _emnist(tmp_path, "letters", letters)
    data = load_dataset(tmp_path)
    assert data.labels == tuple(map(str, range(11)))
    assert data.notes[-1] == (
        "class 0 has no training image; the model gets 11 outputs all the same"
    )


def test_of_several_sets_in_a_folder_one_file_names_its_own(
    few: Arrays, folder: Path
) -> None:
    other = np.where(few.y_train == 3, 5, few.y_train).astype(np.uint8)
    _emnist(folder, "letters", few)
    _emnist(folder, "digits", few._replace(y_train=other))
    with pytest.raises(
        DataError, match="3 data sets, train-…, emnist-digits-…, emnist"
    ):
        load_dataset(folder)
    given = folder / "emnist-digits-test-labels-idx1-ubyte.gz"
    np.testing.assert_array_equal(load_dataset(given).y_train, other)
    _assert_is(few, folder / "train-images-idx3-ubyte")


def test_missing_sibling_of_emnist_is_named_as_nist_does(
    few: Arrays, tmp_path: Path
) -> None:
    _emnist(tmp_path, "digits", few)
    (tmp_path / "emnist-digits-test-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match="lacks emnist-digits-test-images-idx3-ubyte"):
        load_dataset(tmp_path)


def test_what_macos_leaves_beside_is_no_data_set(few: Arrays, tmp_path: Path) -> None:
    _emnist(tmp_path, "digits", few)
    for path in list(tmp_path.iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    _assert_is(few, tmp_path)


def test_folder_of_the_files_is_named_if_one_above_is_given(folder: Path) -> None:
    raw = folder / "MNIST" / "raw"  # PyTorch names it so.
    raw.mkdir(parents=True)
    for name in MD5:
        (folder / name).rename(raw / name)
    with pytest.raises(DataError, match=r"holds IDX files in MNIST/raw/; give \S+/raw"):
        load_dataset(folder)


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
    [
        *[(0, "is empty"), (3, "not an IDX file"), (9, "cut short")],
        (999, "holds 983 bytes of data and its header says 392000"),
    ],
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
    with pytest.raises(DataError, match="its header says .* which no images have"):
        load_dataset(folder)


def test_gzip_bomb_is_refused(folder: Path) -> None:
    """Its header names few images, so no more is unpacked than they take."""
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(path.read_bytes() + bytes(1 << 20), 1))
    with pytest.raises(
        DataError,
        match="holds more than 392000 bytes of data and its header says 392000",
    ):
        load_dataset(folder)


@pytest.mark.parametrize("part", ["train", "t10k"])
@pytest.mark.parametrize("more", [-1, 1])
def test_images_and_labels_of_other_numbers_are_refused(
    few: Arrays, folder: Path, part: str, more: int
) -> None:
    labels = few.y_train if part == "train" else few.y_test
    changed = labels[:more] if more < 0 else np.append(labels, labels[:1])
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(_idx(changed))
    word, count = ("training", 500) if part == "train" else ("test", 100)
    with pytest.raises(
        DataError, match=f"{count} {word} images and {count + more} labels"
    ):
        load_dataset(folder)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_images_beyond_the_bound_lie_on_disk(
    few: Arrays, tmp_path: Path, suffix: str
) -> None:
    _emnist(tmp_path, "digits", few, suffix)
    data = load_dataset(tmp_path, max_bytes=600 * 28 * 28 - 1)
    assert not isinstance(data.x_train, np.ndarray)
    np.testing.assert_array_equal(data.x_train[:][..., 0], few.x_train)
    np.testing.assert_array_equal(data.x_test[:][..., 0], few.x_test)
    assert "and lie in a file in" in data.notes[-1]


# --- EMNIST's file of classes


def test_emnists_letters_get_their_names(few: Arrays, tmp_path: Path) -> None:
    letters = few._replace(y_train=few.y_train + 1, y_test=few.y_test + 1)
    _emnist(tmp_path, "letters", letters)
    # NIST's own file of the letters names both cases of each.
    lines = (f"{n} {64 + n} {96 + n}" for n in range(1, 27))
    (tmp_path / "emnist-letters-mapping.txt").write_text("\n".join(lines))
    data = load_dataset(tmp_path)
    assert "".join(data.labels) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    np.testing.assert_array_equal(data.y_train, few.y_train)
    assert data.notes[-1].startswith("classes K, L, M, ")


def test_emnists_balanced_set_has_digits_and_letters(
    few: Arrays, tmp_path: Path
) -> None:
    _emnist(tmp_path, "balanced", few)
    # These are the first lines of NIST's own file, and one of the last.
    codes = [*range(48, 58), *range(65, 91), 97, 98, 100, 101, 102, 103]
    text = "".join(f"{number} {code}\n" for number, code in enumerate(codes))
    (tmp_path / "emnist-balanced-mapping.txt").write_text(text)
    data = load_dataset(tmp_path)
    assert data.labels[:12] == tuple("0123456789AB")
    assert data.labels[-3:] == ("e", "f", "g")
    np.testing.assert_array_equal(data.y_train, few.y_train)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0 48\nhello\n", r"mapping\.txt, line 2: it must hold a class number"),
        ("0 48\n1\n", r"mapping\.txt, line 2: it must"),
        ("0 48\n0 49\n", r"mapping\.txt, line 2: it must"),
        ("0 10\n", r"mapping\.txt, line 1: it must"),
        ("\n", r"mapping\.txt names no class"),
        ("0 48\n1 49\n", r"label 0 \(the first is 0\) is 5, which emnist-digits-mapp"),
    ],
)
def test_a_damaged_file_of_classes_is_named(
    few: Arrays, tmp_path: Path, text: str, sentence: str
) -> None:
    _emnist(tmp_path, "digits", few)
    (tmp_path / "emnist-digits-mapping.txt").write_text(text)
    with pytest.raises(DataError, match=sentence):
        load_dataset(tmp_path)
