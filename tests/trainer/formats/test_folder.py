"""A folder of images tells the parts and the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.examples import write_picture
from trainer.data import DataSet, load_dataset
from trainer.errors import DataError


def _other_notes(data: DataSet) -> tuple[str, ...]:
    """Return the notes but the one about a test part that is missing."""
    return tuple(n for n in data.notes if not n.startswith("there are no test images"))


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
    assert _other_notes(data) == ()


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
    data = load_dataset(tmp_path, seed=5)
    # Two of ten are held out, one of two, and none of one.
    assert data.y_test.tolist() == [0, 0, 1]
    assert np.bincount(data.y_train).tolist() == [8, 1, 1]
    values = np.concatenate([data.x_train[:][:, 0, 0, 0], data.x_test[:][:, 0, 0, 0]])
    assert sorted(values) == sorted([*range(10), 0, 1, 0])
    assert data.notes == (
        "there are no test images: 3 images, 20% of each class by chance (seed 5), are"
        " held out",
    )


def test_a_split_depends_on_names_and_seed_and_not_on_the_file_system(
    tmp_path: Path,
) -> None:
    """A folder's own order is mostly that in which its files were made."""
    rng = np.random.default_rng(3)
    tested = []
    for place in ("one", "two"):
        for number in rng.permutation(20):
            for label in ("a", "b"):
                write_picture(
                    tmp_path / place / label / f"{number:02}.png", int(number)
                )
        tested.append(load_dataset(tmp_path / place, seed=1).x_test)
    np.testing.assert_array_equal(*tested)
    other = load_dataset(tmp_path / "one", seed=2).x_test
    assert not np.array_equal(tested[0], other)


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
    assert _other_notes(data) == (note,)


def test_the_size_that_is_given_wins(tmp_path: Path) -> None:
    for number, size in enumerate([(20, 10), (20, 10), (16, 12)]):
        for label, value in (("a", 50), ("b", 60)):
            write_picture(tmp_path / label / f"{number}.png", value, size=size)
    data = load_dataset(tmp_path, size=(12, 16))
    assert data.image_shape == (12, 16, 1)
    assert set(data.x_train[data.y_train == 1].flat) == {60}
    assert _other_notes(data) == (
        "4 of 6 images are brought to 12 x 16, the size that is given",
    )


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
    assert _other_notes(data) == ("2 gray images are taken as colour",)


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for number in range(2):
            write_picture(tmp_path / label / f"{number}.png", 9)
        (tmp_path / label / ".DS_Store").write_bytes(b"\x00")
    (tmp_path / ".git").mkdir()
    data = load_dataset(tmp_path)
    assert data.labels == ("a", "b")
    assert _other_notes(data) == ()


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
    assert _other_notes(load_dataset(tmp_path)) == (note,)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label in ("a", "b"):
        for number in range(5):
            write_picture(tmp_path / label / f"{number}.png", 9)
    return tmp_path


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
        ("photos.csv", r"give \S+/photos\.csv with --fin"),
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
