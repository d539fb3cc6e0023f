"""Images in memory, on disk, chosen and joined answer as one numpy array does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.examples import file_size_limit
from trainer.errors import WriteFailed
from trainer.images import Images, choose, join, pieces
from trainer.stored_images import ImageWriter, StoredImages, scratch_place

ARRAY = np.random.default_rng(1).integers(0, 256, (30, 5, 4, 3), np.uint8)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def stored(array: np.ndarray[Any, Any]) -> Images:
    writer = ImageWriter(len(array), array.shape[1:], array.dtype, on_disk=True)
    writer.add(array[:7])
    writer.add(array[7:])
    return writer.finish()


KINDS: dict[str, Callable[[], Images]] = {
    "numpy": lambda: ARRAY,
    "stored": lambda: stored(ARRAY),
    "chosen": lambda: choose(stored(ARRAY[::-1]), np.arange(29, -1, -1)),
    "sliced": lambda: choose(stored(np.concatenate([ARRAY, ARRAY])), slice(30, 60)),
    "masked": lambda: choose(stored(np.repeat(ARRAY, 2, 0)), np.arange(60) % 2 == 1),
    "joined": lambda: join(stored(ARRAY[:11]), ARRAY[11:]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "which",
    [
        *[0, 29, -1, np.int64(12)],
        *[slice(None), slice(3, 20), slice(25, 99), slice(20, 3), slice(29, 2, -3)],
        *[np.array([4]), np.array([9, 10, 11, 3, 3, 29]), np.array([], np.int64)],
        np.array([-1, -30, 5]),
    ],
    ids=str,
)
def test_any_choice_is_that_of_numpy(kind: str, which: Any) -> None:
    images = KINDS[kind]()
    assert (images.shape, images.dtype, len(images)) == ((30, 5, 4, 3), np.uint8, 30)
    np.testing.assert_array_equal(images[which], ARRAY[which])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", [30, -31, np.array([0, 30])], ids=str)
def test_an_image_beyond_the_last_is_an_index_error(kind: str, which: Any) -> None:
    with pytest.raises(IndexError):
        KINDS[kind]()[which]


@pytest.mark.parametrize("dtype", [">f4", np.float64, bool, np.int16])
def test_numbers_of_other_dtypes_return_from_disk(dtype: Any) -> None:
    array = (ARRAY / 255).astype(dtype)
    images = stored(array)
    assert images.dtype == array.dtype
    np.testing.assert_array_equal(images[:], array)


def test_stored_images_get_another_shape() -> None:
    images = stored(ARRAY)
    assert isinstance(images, StoredImages)
    other = images.reshaped((30, 20, 3))
    np.testing.assert_array_equal(other[4], ARRAY[4].reshape(20, 3))


def test_pieces_are_all_images_in_order() -> None:
    images = choose(np.zeros((1, 1024, 1024), np.uint8), np.zeros(11, np.int64))
    assert [len(piece) for piece in pieces(images)] == [4, 4, 3]


def test_the_file_has_no_name_that_a_kill_could_leave(place: Path) -> None:
    images = stored(ARRAY)
    assert scratch_place() == place
    assert list(place.iterdir()) == []
    np.testing.assert_array_equal(images[3], ARRAY[3])


def test_a_full_disk_is_work_that_failed(place: Path) -> None:
    with file_size_limit(100), pytest.raises(WriteFailed) as caught:
        stored(ARRAY)
    assert str(caught.value) == (
        f"{place}: the file for the pixels cannot be written: File too large; raise the"
        " limit on the size of a file (ulimit -f), or name another folder by the"
        " variable TMPDIR"
    )


def test_without_the_variable_the_file_lies_on_a_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder /tmp often lies in memory."""
    monkeypatch.delenv("TMPDIR")
    assert scratch_place() == Path("/var/tmp")
