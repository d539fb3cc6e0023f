"""More images join the training part, in the form that a service gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bundle.decode import decode_image
from bundle.params import Preprocess
from bundle.preprocess import preprocess
from tests.trainer.examples import write_picture
from trainer.also import with_also
from trainer.data import DataSet, load_dataset
from trainer.errors import DataError
from trainer.form import preprocess_of

_PLAIN = Preprocess()


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    for value, label in ((10, "dark"), (200, "light")):
        for part, count in (("train", 3), ("test", 1)):
            for number in range(count):
                path = tmp_path / "own" / part / label / f"{number}.png"
                write_picture(path, value + number)
    return load_dataset(tmp_path / "own")


def test_images_of_one_class_join_the_training_alone(
    data: DataSet, tmp_path: Path
) -> None:
    write_picture(tmp_path / "more" / "light" / "a.png", 250, size=(24, 30))
    joined = with_also(data, tmp_path / "more", _PLAIN)
    assert joined.x_train.shape == (7, 12, 12, 1)
    assert joined.y_train.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert joined.x_train[:][:, 0, 0, 0].tolist() == [10, 11, 12, 200, 201, 202, 250]
    assert joined.x_test is data.x_test
    assert joined.y_test is data.y_test
    assert joined.labels == data.labels
    assert joined.notes == ("more: 1 image is trained on, too",)


def test_a_models_feedback_is_found_below_its_folder(
    data: DataSet, tmp_path: Path
) -> None:
    """``runtime serve`` writes such a folder."""
    write_picture(tmp_path / "digits" / "images" / "dark" / "0f.png", 7)
    (tmp_path / "digits" / "rows.csv").write_text("a,label\n1,dark\n")
    joined = with_also(data, tmp_path / "digits", _PLAIN)
    assert joined.y_train.tolist() == [0, 0, 0, 1, 1, 1, 0]
    assert int(joined.x_train[6].max()) == 7


def test_a_colour_becomes_gray_as_the_others_are(data: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "more" / "dark" / "0.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (12, 12), (0, 255, 0)).save(path)
    joined = with_also(data, tmp_path / "more", _PLAIN)
    # ITU-R BT.601: 0.587 of green.
    assert set(joined.x_train[6].flat) == {150}


def test_a_drawing_is_brought_to_the_form_that_a_service_gives_it(
    few_data: DataSet, tmp_path: Path
) -> None:
    """The drawing is dark on white, large, and off the centre."""
    digit = Image.fromarray(255 - few_data.x_train[0][:, :, 0]).resize((84, 84))
    drawing = Image.new("L", (200, 160), 255)
    drawing.paste(digit, (20, 60))
    path = tmp_path / "more" / "5" / "0.png"
    path.parent.mkdir(parents=True)
    drawing.save(path)
    how = preprocess_of(few_data)
    assert how.fit is not None
    joined = with_also(few_data, tmp_path / "more", how)
    served = preprocess(
        decode_image(path.read_bytes(), 1), how, (28, 28, 1), np.dtype(np.uint8)
    )
    np.testing.assert_array_equal(joined.x_train[500], served)
    assert joined.labels[joined.y_train[500]] == "5"
    # The drawing shows the first training image, which looks nearly the same again.
    one, other = served.ravel() / 255, few_data.x_train[0].ravel() / 255
    assert np.corrcoef(one, other)[0, 1] > 0.9


def test_arrays_join_by_the_names_of_their_classes(
    few_data: DataSet, few_npz: Path
) -> None:
    joined = with_also(few_data, few_npz, _PLAIN)
    assert len(joined.x_train) == 1000
    np.testing.assert_array_equal(joined.y_train[500:], few_data.y_train)
    np.testing.assert_array_equal(joined.x_train[700], few_data.x_train[200])
    assert joined.notes[-1] == "few.npz: its test images are not used"


def test_a_label_that_the_data_set_lacks_is_named(
    data: DataSet, tmp_path: Path
) -> None:
    write_picture(tmp_path / "more" / "middle" / "a.png", 100)
    with pytest.raises(
        DataError, match="more has the label 'middle', and --fin has only dark, light"
    ):
        with_also(data, tmp_path / "more", _PLAIN)
