"""Arrays of a .npz are read in pieces, and never unpickled."""

import io
import zipfile

import numpy as np
import pytest

from runtime.admin.errors import AdminError
from runtime.scoring.arrays import ArrayFile
from runtime.scoring.chunks import Numbers, Pixels
from tests.runtime.scoring.makers import LINEAR, rows_of

DIGITS = np.arange(5 * 2 * 2, dtype=np.uint8).reshape(5, 2, 2)


def read(path, facts=LINEAR, key="", size=2, done=0):
    chunks = list(ArrayFile(path, key, facts).chunks(size, done))
    items = [item for chunk in chunks for item in chunk.items]
    kinds = {type(chunk.content) for chunk in chunks}
    return items, kinds, np.concatenate([chunk.content.array for chunk in chunks])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("done", [0, 2, 4])
def test_pictures_are_read_from_the_place_that_is_reached(tmp_path, save, done):
    save(tmp_path / "a.npz", x=DIGITS, y=np.arange(5))
    items, kinds, array = read(tmp_path / "a.npz", done=done)
    assert items == [str(n) for n in range(done, 5)]
    assert kinds == {Pixels}
    assert np.array_equal(array, DIGITS[done:, :, :, np.newaxis])


def test_rows_and_other_numbers_are_no_pictures(tmp_path):
    rows = np.arange(8, dtype=np.float64).reshape(2, 4)
    np.savez(tmp_path / "a.npz", rows)
    for facts in (LINEAR, rows_of()):
        items, kinds, array = read(tmp_path / "a.npz", facts)
        assert (items, kinds) == (["0", "1"], {Numbers})
        assert np.array_equal(array, rows)


def test_a_large_item_makes_smaller_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.scoring.arrays.MOST_BYTES", 4 * 4 * 2)
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 4), np.float32))
    source = ArrayFile(tmp_path / "a.npz", "", rows_of())
    assert [len(chunk.items) for chunk in source.chunks(256, 0)] == [2, 2, 1]


def test_the_key_chooses_the_array(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=DIGITS, x_test=DIGITS[:1])
    assert read(tmp_path / "a.npz", key="x_test")[0] == ["0"]
    with pytest.raises(AdminError) as error:
        read(tmp_path / "a.npz")
    assert str(error.value).endswith(
        "does not tell which array has the items: it has x_train (5, 2, 2), x_test"
        " (1, 2, 2); name it with --key NAME"
    )
    with pytest.raises(AdminError, match="has no array 'y'; it has x_train, x_test"):
        read(tmp_path / "a.npz", key="y")


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.array([[1, "a"]], object), "x holds objects; give an array of numbers"),
        (np.array([["a"]]), "x holds <U1; give an array of numbers"),
        (np.zeros((0, 4)), r"x has the shape \(0, 4\); give \(N, H, W\)"),
        (np.zeros(4), r"x has the shape \(4,\); give"),
        (np.zeros((2, 2, 2), np.uint8, "F"), "x is stored column by column"),
        (np.zeros((1, 2, 2, 2), np.uint8), "pictures are"),
        (np.zeros((1, 5)), "a row has 5 values and the model takes 4"),
    ],
)
def test_an_array_that_cannot_be_scored_is_refused(tmp_path, array, sentence):
    np.savez(tmp_path / "a.npz", x=array)
    for key in ("x", ""):
        with pytest.raises(AdminError, match=sentence):
            ArrayFile(tmp_path / "a.npz", key, LINEAR)


def test_a_file_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=DIGITS)
    whole = path.read_bytes()
    for damaged in (b"", b"no zip", whole[:-30], whole[:60]):
        path.write_bytes(damaged)
        with pytest.raises(AdminError, match="a.npz is damaged, cut short, or no .npz"):
            ArrayFile(path, "", LINEAR)
    magic = b"\x93NUMPY\x01\x00"
    for content in (b"no array", magic + b"\x08\x00[[[[[[[\n"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
        with pytest.raises(AdminError, match="a.npz is damaged"):
            ArrayFile(path, "", LINEAR)
    np.savez(path)
    with pytest.raises(AdminError, match="a.npz has no arrays"):
        ArrayFile(path, "", LINEAR)


def test_an_array_of_fewer_than_no_items_is_refused(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.zeros((12, 4)))
    damaged = stream.getvalue().replace(b"(12, 4)", b"(-1, 4)")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", damaged)
    with pytest.raises(AdminError, match=r"x has the shape \(-1, 4\); give"):
        ArrayFile(tmp_path / "a.npz", "", LINEAR)


def test_an_array_that_is_shorter_than_it_says_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    stream = io.BytesIO()
    np.save(stream, DIGITS)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", stream.getvalue()[:-1])
    with pytest.raises(AdminError, match="a.npz is damaged, cut short"):
        read(path)
