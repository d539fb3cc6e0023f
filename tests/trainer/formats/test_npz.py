"""Keras's archive has four arrays."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data import load_dataset
from trainer.errors import DataError


def test_truncated_archive_is_damaged(few_npz: Path, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(few_npz.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"mnist\.npz is a damaged \.npz file"):
        load_dataset(path)


def test_flipped_byte_is_found(few_npz: Path, tmp_path: Path) -> None:
    content = bytearray(few_npz.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_dataset(path)


IMAGES = np.arange(10 * 144, dtype=np.uint32).reshape(10, 12, 12).astype(np.uint8)
LABELS = np.arange(10) % 2


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
    # Each class has five images, and its fifth is held out: these are the last two
    # images.
    np.testing.assert_array_equal(data.x_train[..., 0], IMAGES[:8])
    np.testing.assert_array_equal(data.x_test[..., 0], IMAGES[8:])
    assert data.y_test.tolist() == [0, 1]
    (note,) = data.notes
    assert "every fifth image of each class is held out" in note


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


def test_bomb_is_refused_before_it_unpacks(few_npz: Path) -> None:
    with pytest.raises(DataError, match="unpacks to more than 1000 bytes"):
        load_dataset(few_npz, max_bytes=1000)


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


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_lie_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    write(path, npy(HEADERS[name]), zipfile.ZIP_DEFLATED)
    with pytest.raises(
        DataError, match=r"mnist\.npz (holds something else|is a damaged)"
    ):
        load_dataset(path)


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
    with contextlib.suppress(DataError):
        load_dataset(path)
