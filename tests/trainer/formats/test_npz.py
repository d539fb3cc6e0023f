"""Keras's archive has four arrays."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data import load_dataset
from trainer.errors import DataError
from trainer.formats import Arrays


def test_truncated_archive_is_damaged(few_npz: Path, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(few_npz.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"mnist\.npz is a damaged \.npz file"):
        load_dataset(path)


@pytest.mark.parametrize("max_bytes", [0, 1 << 30])
def test_flipped_byte_is_found(few_npz: Path, tmp_path: Path, max_bytes: int) -> None:
    content = bytearray(few_npz.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_dataset(path, max_bytes=max_bytes)


IMAGES = np.arange(10 * 144, dtype=np.uint32).reshape(10, 12, 12).astype(np.uint8)
LABELS = np.arange(10) % 2
SORTED = IMAGES[IMAGES[:, 0, 0].argsort()]


@pytest.mark.parametrize(
    "names",
    [
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("trainX", "trainy", "testX", "testy"),
        ("images_train", "labels_train", "images_test", "labels_test"),
        ("training data", "training targets", "testing data", "testing targets"),
    ],
)
def test_arrays_are_known_by_any_usual_name(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    path = tmp_path / "a.npz"
    arrays = (IMAGES, LABELS, IMAGES[:3] + 1, LABELS[:3])
    np.savez(path, **dict(zip(names, arrays, strict=True)))
    data = load_dataset(path)
    np.testing.assert_array_equal(data.x_train[..., 0], IMAGES)
    np.testing.assert_array_equal(data.y_train, LABELS)
    np.testing.assert_array_equal(data.x_test[..., 0], IMAGES[:3] + 1)
    np.testing.assert_array_equal(data.y_test, LABELS[:3])
    assert data.notes == ()


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images", "labels"),
        ("X", "y"),
        ("x", "y"),
        ("data", "target"),
        ("x_train", "y_train"),
    ],
)
def test_arrays_that_are_not_parted_are_parted_here(
    tmp_path: Path, images: str, labels: str
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **{images: IMAGES, labels: LABELS})
    data = load_dataset(path)
    # Each class has five images, and one of them is held out.
    assert np.bincount(data.y_test).tolist() == [1, 1]
    assert np.bincount(data.y_train).tolist() == [4, 4]
    found = np.concatenate([data.x_train[:], data.x_test[:]])[..., 0]
    # The first number of each image is another one.
    np.testing.assert_array_equal(found[found[:, 0, 0].argsort()], SORTED)
    (note,) = data.notes
    assert "2 images, 20% of each class by chance (seed 0), are held out" in note


def test_validation_arrays_join_those_to_train_on(tmp_path: Path) -> None:
    # MedMNIST has these names and shapes.
    path, column = tmp_path / "a.npz", LABELS[:, np.newaxis]
    np.savez(
        path,
        **{"train_images": IMAGES, "train_labels": column},
        **{"val_images": IMAGES[:2], "val_labels": column[:2]},
        **{"test_images": IMAGES[:4], "test_labels": column[:4]},
    )
    data = load_dataset(path)
    assert (len(data.x_train), len(data.x_test)) == (12, 4)
    (note,) = data.notes
    assert note.startswith("the validation images are trained on")


def test_other_arrays_are_passed_over_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=IMAGES, target=LABELS, weights=LABELS, DESCR=np.array("hi"))
    assert load_dataset(path).notes[0] == "the arrays DESCR, weights were passed over"


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test"),
        ("x_test", "y_test"),
        ("arr_0", "arr_1"),
        ("images",),
    ],
)
def test_other_names_are_told_with_those_that_are_wanted(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, **dict.fromkeys(names, IMAGES))
    there = ", ".join(names)
    with pytest.raises(
        DataError, match=f"holds the arrays {there}; wanted are x_train"
    ):
        load_dataset(path)


def test_two_arrays_of_one_meaning_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=IMAGES, data=IMAGES, target=LABELS)
    with pytest.raises(DataError, match="images and data, which mean the same"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        (["cat/0.png", "dog/0.png"], "is a zip of pictures; unpack it"),
        (["pets/cat/0.JPG"], "is a zip of pictures; unpack it"),
        (["gzip/emnist-letters-train-images-idx3-ubyte.gz"], "is a zip of IDX files"),
        (["notes.txt"], "is a zip, but no .npz: it holds 'notes.txt'"),
        (["__MACOSX/cat/._0.png"], "is a zip, but no .npz: it is empty"),
        ([], "is a zip, but no .npz: it is empty"),
    ],
)
def test_zip_of_something_else_is_called_so(
    tmp_path: Path, members: list[str], sentence: str
) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"x")
    with pytest.raises(DataError, match=sentence):
        load_dataset(path)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    objects = np.array([print, print], dtype=object)
    np.savez(path, x_train=objects, y_train=objects, x_test=objects, y_test=objects)
    with pytest.raises(DataError, match="something else than whole arrays of numbers"):
        load_dataset(path)


# --- colour


def test_images_in_colour_are_read_as_they_are(tmp_path: Path) -> None:
    """CIFAR-10 of Keras has these shapes."""
    images = np.random.default_rng(1).integers(0, 256, (10, 32, 32, 3), np.uint8)
    path = tmp_path / "cifar.npz"
    np.savez(path, x_train=images, y_train=LABELS[:, np.newaxis], x_test=images[:2])
    with np.load(path) as arrays:
        np.savez(path, **arrays, y_test=LABELS[:2, np.newaxis])
    data = load_dataset(path)
    assert data.image_shape == (32, 32, 3)
    np.testing.assert_array_equal(data.x_train[:], images)


def test_rows_of_three_colours_are_asked_for_their_order(tmp_path: Path) -> None:
    path = tmp_path / "cifar.npz"
    np.savez(path, data=np.zeros((10, 3072), np.uint8), labels=LABELS)
    with pytest.raises(
        DataError, match=r"images.reshape\(-1, 3, 32, 32\).transpose\(0, 2, 3, 1\)"
    ):
        load_dataset(path)


def test_a_size_is_given_to_all_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    images = np.repeat(np.arange(10, dtype=np.uint8), 64).reshape(10, 8, 8)
    np.savez(path, images=images, labels=LABELS)
    data = load_dataset(path, size=(12, 16))
    assert data.x_train.shape == (8, 12, 16, 1)
    # Each image has one level, and keeps it.
    assert {*data.x_train[:].flat, *data.x_test[:].flat} == set(range(10))


@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (np.inf, "inf")])
@pytest.mark.parametrize("max_bytes", [0, 1 << 30])
def test_an_image_with_no_number_is_named(
    tmp_path: Path, value: float, said: str, max_bytes: int
) -> None:
    images = IMAGES / np.float32(255)
    images[7, 3, 4] = value
    path = tmp_path / "a.npz"
    np.savez(path, images=images, labels=LABELS)
    with pytest.raises(DataError, match=f"the training images have {said} in image 7"):
        load_dataset(path, max_bytes=max_bytes)


# --- more pixels than memory


def test_arrays_beyond_the_bound_lie_on_disk(few_npz: Path, few: Arrays) -> None:
    data = load_dataset(few_npz, max_bytes=1000)
    assert not isinstance(data.x_train, np.ndarray)
    np.testing.assert_array_equal(data.x_train[:][..., 0], few.x_train)
    np.testing.assert_array_equal(data.x_test[:][..., 0], few.x_test)
    np.testing.assert_array_equal(data.y_train, few.y_train)
    assert data.notes[-1].startswith("the images take 0 MB and lie in a file in ")


@pytest.mark.parametrize("dtype", [">f4", np.float64, np.int16, bool])
def test_arrays_of_other_dtypes_are_the_same_on_disk(
    tmp_path: Path, dtype: npt.DTypeLike
) -> None:
    images = (IMAGES > 99) if dtype is bool else (IMAGES / 255).astype(dtype)
    path = tmp_path / "a.npz"
    np.savez_compressed(
        path,
        **{"train_images": images, "train_labels": LABELS},
        **{"val_images": images[:3], "val_labels": LABELS[:3]},
        **{"test_images": images[:2], "test_labels": LABELS[:2]},
    )
    held, stored = load_dataset(path), load_dataset(path, max_bytes=0)
    assert isinstance(held.x_train, np.ndarray)
    assert stored.x_train.shape == (13, 12, 12, 1)
    np.testing.assert_array_equal(stored.x_train[:], held.x_train)
    np.testing.assert_array_equal(stored.x_test[:], held.x_test)


def test_arrays_beyond_the_bound_are_not_held(tmp_path: Path) -> None:
    path, count = tmp_path / "a.npz", 6000
    images = np.zeros((count, 50, 50), np.uint8)
    np.savez(path, images=images, labels=np.arange(count) % 2)
    del images

    def peak(max_bytes: int) -> int:
        tracemalloc.start()
        try:
            load_dataset(path, max_bytes=max_bytes)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(1 << 30) > count * 2500
    # Pieces of 4 MiB are held, and not 15 MB.
    assert peak(count * 2500 - 1) < count * 2500 * 0.7


def test_parts_that_do_not_fit_together_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(
        path,
        **{"train_images": IMAGES, "train_labels": LABELS},
        **{"val_images": IMAGES[:, :9] / 255, "val_labels": LABELS},
        **{"test_images": IMAGES, "test_labels": LABELS},
    )
    for max_bytes in (0, 1 << 30):
        with pytest.raises(
            DataError, match="train_images is uint8 of the shape .* val_images float64"
        ):
            load_dataset(path, max_bytes=max_bytes)


def test_an_array_by_column_is_refused_if_memory_cannot_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.asfortranarray(IMAGES), labels=LABELS)
    assert load_dataset(path).image_shape == (12, 12, 1)
    with pytest.raises(DataError, match=r"save numpy\.ascontiguousarray of it"):
        load_dataset(path, max_bytes=0)


HEADERS = {
    "terabytes": "{'descr': '|u1', 'fortran_order': False, 'shape': (10**13,)}",
    "more than memory": "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2**60)}",
    "below zero": "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
    "beyond 64 bits": "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 9E20)}",
    "digits": f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1{'0' * 25},)}}",
    "truths": "{'descr': '|u1', 'fortran_order': False, 'shape': (True,)}",
    "texts": "{'descr': '|u1', 'fortran_order': False, 'shape': ('a',)}",
    "no dtype": "{'descr': 5, 'fortran_order': False, 'shape': (2,)}",
    "brackets": "(" * 9000,
    "nothing": "",
}


def npy(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(100)


def write(path: Path, member: bytes, compression: int, ending: str = ".npy") -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(name + ending, member)


@pytest.mark.parametrize("max_bytes", [0, 1 << 30])
@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_lie_are_refused(
    name: str, max_bytes: int, tmp_path: Path
) -> None:
    path = tmp_path / "mnist.npz"
    write(path, npy(HEADERS[name]), zipfile.ZIP_DEFLATED)
    with pytest.raises(
        DataError, match=r"mnist\.npz (holds something else|is a damaged)"
    ):
        load_dataset(path, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("ending", "sentence"),
    [("", "a zip, but no .npz"), (".npy", "something else than whole arrays")],
)
def test_members_that_are_no_arrays_are_refused(
    ending: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "mnist.npz"
    write(path, b"hello", zipfile.ZIP_STORED, ending)
    with pytest.raises(DataError, match=sentence):
        load_dataset(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_write_are_refused(
    compression: int, tmp_path: Path
) -> None:
    path = tmp_path / "mnist.npz"
    write(path, bytes(1000), compression)
    with pytest.raises(DataError, match=r"make it with numpy\.savez"):
        load_dataset(path)


def tiny() -> bytes:
    written = io.BytesIO()
    images, labels = np.zeros((2, 4), np.uint8), np.arange(2)
    np.savez(written, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return written.getvalue()


TINY = tiny()


@given(
    places=st.lists(
        st.tuples(st.integers(0, len(TINY) - 1), st.integers(0, 255)),
        min_size=1,
        max_size=4,
    )
)
def test_damage_is_a_data_error_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]]
) -> None:
    content = bytearray(TINY)
    for place, value in places:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content)
    for max_bytes in (0, 1 << 30):
        with contextlib.suppress(DataError):
            load_dataset(path, max_bytes=max_bytes)
