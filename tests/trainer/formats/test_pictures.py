"""A folder of images tells the size, the channels and the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import exif, orientation, png, saved, with_segments
from tests.trainer.examples import write_picture
from trainer.data import load_dataset
from trainer.errors import DataError


def test_train_and_test_are_kept_apart(tmp_path: Path) -> None:
    for index, label in enumerate(("cat", "dog")):
        for number in range(3):
            write_picture(tmp_path / "train" / label / f"{number}.png", 100 + index)
        write_picture(tmp_path / "test" / label / "0.png", 200 + index)
    data = load_dataset(tmp_path)
    assert data.labels == ("cat", "dog")
    assert data.x_train.shape == (6, 12, 12, 1)
    assert data.y_train.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.x_train[:, 0, 0, 0].tolist() == [100, 100, 100, 101, 101, 101]
    assert data.y_test.tolist() == [0, 1]
    assert data.x_test[:, 0, 0, 0].tolist() == [200, 201]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"),
        ("TRAIN", "test"),
        ("training", "testing"),
        ("Training", "T10k"),
    ],
)
def test_parts_are_known_in_any_usual_spelling(
    tmp_path: Path, train: str, test: str
) -> None:
    for label in ("cat", "dog"):
        for number in range(3):
            write_picture(tmp_path / train / label / f"{number}.png", 100)
        write_picture(tmp_path / test / label / "0.png", 200)
    data = load_dataset(tmp_path)
    assert data.labels == ("cat", "dog")
    assert data.x_train[:, 0, 0, 0].tolist() == [100] * 6
    assert data.x_test[:, 0, 0, 0].tolist() == [200] * 2


@pytest.mark.parametrize("valid", ["val", "valid", "Validation"])
def test_validation_images_are_trained_on_beside_a_test(
    tmp_path: Path, valid: str
) -> None:
    for value, part in ((1, "train"), (2, valid), (3, "test")):
        for label in ("a", "b"):
            write_picture(tmp_path / part / label / "0.png", value)
    data = load_dataset(tmp_path)
    assert data.x_train[:, 0, 0, 0].tolist() == [1, 1, 2, 2]
    assert data.y_train.tolist() == [0, 1, 0, 1]
    assert data.x_test[:, 0, 0, 0].tolist() == [3, 3]
    (note,) = data.notes
    assert note.startswith("the validation images are trained on")


def test_validation_images_stand_for_a_test_that_is_missing(tmp_path: Path) -> None:
    for value, part in ((1, "train"), (2, "val")):
        for label in ("a", "b"):
            write_picture(tmp_path / part / label / "0.png", value)
    data = load_dataset(tmp_path)
    assert data.x_train[:, 0, 0, 0].tolist() == [1, 1]
    assert data.x_test[:, 0, 0, 0].tolist() == [2, 2]
    (note,) = data.notes
    assert note.endswith("the validation images are tested on")


def test_two_spellings_of_one_part_are_refused(tmp_path: Path) -> None:
    for part in ("Train", "train"):
        write_picture(tmp_path / part / "a" / "0.png", 9)
    with pytest.raises(DataError, match="holds Train/ and train/, which mean the same"):
        load_dataset(tmp_path)


def test_train_may_be_a_class(tmp_path: Path) -> None:
    for label in ("bus", "train"):
        for number in range(2):
            write_picture(tmp_path / label / f"{number}.png", 9)
    assert load_dataset(tmp_path).labels == ("bus", "train")


@pytest.mark.parametrize("layout", [".", "Train"])
def test_what_systems_leave_is_passed_over_at_any_level(
    tmp_path: Path, layout: str
) -> None:
    for label in ("a", "b"):
        for number in range(2):
            write_picture(tmp_path / layout / label / f"{number}.png", 9)
    for level in {tmp_path, tmp_path / layout, tmp_path / layout / "a"}:
        for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._0.png", "THUMBS.DB"):
            (level / name).write_bytes(b"\xd0\xcf\x11\xe0")
        for name in ("__MACOSX", ".ipynb_checkpoints", "@eaDir"):
            (level / name / "a").mkdir(parents=True)
            (tmp_path / level / name / "a" / "0-checkpoint.png").write_bytes(b"x")
    data = load_dataset(tmp_path)
    assert data.labels == ("a", "b")
    assert len(data.x_train) + len(data.x_test) == 4
    assert data.notes == ()


def test_a_folder_around_the_classes_is_named(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        write_picture(tmp_path / "pets" / label / "0.png", 9)
    with pytest.raises(DataError, match=r"pets/ holds folders .* give \S+/pets with"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("layout", [".", "train"])
def test_without_test_a_fifth_of_each_class_is_held_out(
    tmp_path: Path, layout: str
) -> None:
    for label, count in (("a", 10), ("b", 2), ("c", 1)):
        for number in range(count):
            write_picture(tmp_path / layout / label / f"{number:02}.png", number)
    data = load_dataset(tmp_path)
    # The fifth and the tenth of ten are held out, the last of two, and none of one.
    assert data.y_test.tolist() == [0, 0, 1]
    assert data.x_test[:, 0, 0, 0].tolist() == [4, 9, 1]
    assert np.bincount(data.y_train).tolist() == [8, 1, 1]


def test_numbers_are_ordered_by_value(tmp_path: Path) -> None:
    for label in ("10", "9", "2"):
        for number in range(2):
            write_picture(tmp_path / label / f"{number}.png", int(label))
    data = load_dataset(tmp_path)
    assert data.labels == ("2", "9", "10")
    assert data.x_test[:, 0, 0, 0].tolist() == [2, 9, 10]


def test_most_common_size_wins(tmp_path: Path) -> None:
    write_picture(tmp_path / "a" / "0.png", 50, size=(40, 30))
    for number in range(1, 4):
        write_picture(tmp_path / "a" / f"{number}.png", 50, size=(20, 10))
        write_picture(tmp_path / "b" / f"{number}.png", 60, size=(20, 10))
    data = load_dataset(tmp_path)
    assert data.image_shape == (10, 20, 1)
    assert set(data.x_train[data.y_train == 0].flat) == {50}
    # The height comes first, as in the shape that is printed above it.
    note = "1 of 7 images is brought to 10 x 20, the most common size"
    assert data.notes == (note,)


def test_one_coloured_image_makes_all_coloured(tmp_path: Path) -> None:
    for number in range(2):
        write_picture(tmp_path / "a" / f"{number}.png", 50)
        path = tmp_path / "b" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (12, 12), (1, 2, 3)).save(path)
    data = load_dataset(tmp_path)
    assert data.image_shape == (12, 12, 3)
    assert data.x_train[0, 0, 0].tolist() == [50, 50, 50]
    assert data.x_train[1, 0, 0].tolist() == [1, 2, 3]
    assert data.notes == ("2 gray images are taken as colour",)


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for number in range(2):
            write_picture(tmp_path / label / f"{number}.png", 9)
        (tmp_path / label / ".DS_Store").write_bytes(b"\x00")
    (tmp_path / ".git").mkdir()
    data = load_dataset(tmp_path)
    assert data.labels == ("a", "b")
    assert data.notes == ()


@pytest.mark.parametrize("parts", [["."], ["train"], ["train", "test"]])
def test_files_beside_the_class_folders_are_counted(
    tmp_path: Path, parts: list[str]
) -> None:
    for part in parts:
        for label in ("a", "b"):
            for number in range(2):
                write_picture(tmp_path / part / label / f"{number}.png", 9)
        write_picture(tmp_path / part / "loose.png", 9)
    (tmp_path / "LICENSE").write_text("")
    (tmp_path / ".DS_Store").write_text("")
    note = f"{1 + len(parts)} files beside the class folders were passed over"
    assert load_dataset(tmp_path).notes == (note,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label in ("a", "b"):
        for number in range(5):
            write_picture(tmp_path / label / f"{number}.png", 9)
    return tmp_path


def test_one_odd_tag_beside_the_orientation_spoils_nothing(tmp_path: Path) -> None:
    stored = np.zeros((16, 16), np.uint8)
    stored[:, 8:] = 255
    odd = exif(orientation(6), (0x010E, 5, 1, bytes(8)))
    data = with_segments(saved(Image.fromarray(stored), "JPEG", quality=100), odd)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(2):
            (tmp_path / label / f"{number}.jpg").write_bytes(data)
    for image in load_dataset(tmp_path).x_train:
        # The left side is now at the top.
        assert image[:8].max() <= 3
        assert image[8:].min() >= 252


def test_a_picture_that_is_too_large_is_told_so(folder: Path) -> None:
    (folder / "b" / "large.png").write_bytes(png(5000, 5000, 1, 0, b""))
    with pytest.raises(DataError, match=r"b/large\.png .* 5000 x 5000 pixels are more"):
        load_dataset(folder)


def test_file_that_is_no_image_is_named(folder: Path) -> None:
    (folder / "b" / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r": b/notes\.txt is not an image"):
        load_dataset(folder)


def test_truncated_image_is_named(folder: Path) -> None:
    path = folder / "b" / "4.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r": b/4\.png is not an image"):
        load_dataset(folder)


def test_folder_in_a_class_is_named(folder: Path) -> None:
    (folder / "a" / "more").mkdir()
    with pytest.raises(DataError, match=r": a/more/ is a folder inside a class"):
        load_dataset(folder)


def test_empty_class_is_named(folder: Path) -> None:
    (folder / "c").mkdir()
    with pytest.raises(DataError, match=": c/ holds no images"):
        load_dataset(folder)


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds neither IDX files nor images"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mnist.npz", r"give \S+/mnist\.npz with --fin"),
        ("pets.zip", r"give \S+/pets\.zip with --fin"),
        ("0.JPG", "put its pictures into subfolders"),
        ("notes.txt", "check --fin"),
    ],
)
def test_folder_without_classes_is_told_what_to_do(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=f"in one subfolder a class; {sentence}"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("layout", [".", "train"])
def test_one_image_a_class_is_too_few(tmp_path: Path, layout: str) -> None:
    for label in ("a", "b"):
        write_picture(tmp_path / layout / label / "0.png", 9)
    with pytest.raises(DataError, match="no test images .* at least 2 images a class"):
        load_dataset(tmp_path)


def test_single_class_is_refused(tmp_path: Path) -> None:
    for number in range(2):
        write_picture(tmp_path / "a" / f"{number}.png", 9)
    with pytest.raises(DataError, match="of one class"):
        load_dataset(tmp_path)


def test_class_of_test_alone_is_refused(tmp_path: Path) -> None:
    for part, label in (("train", "a"), ("train", "b"), ("test", "c")):
        write_picture(tmp_path / part / label / "0.png", 9)
    with pytest.raises(DataError, match="test/c/ is a class that train/ does not have"):
        load_dataset(tmp_path)


def test_folder_beside_train_is_refused(tmp_path: Path) -> None:
    for part in ("train", "more"):
        write_picture(tmp_path / part / "a" / "0.png", 9)
    with pytest.raises(DataError, match="holds train/ and also more/"):
        load_dataset(tmp_path)


def test_label_of_two_lines_is_refused(tmp_path: Path) -> None:
    for label in ("a", "b\nc"):
        write_picture(tmp_path / label / "0.png", 9)
    with pytest.raises(DataError, match="cannot be a label"):
        load_dataset(tmp_path)


def test_too_many_pixels_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="more than 1000 bytes of pixels"):
        load_dataset(folder, max_bytes=1000)
