import numpy as np
import pytest

from bundle.params import Preprocess
from bundle.sample import RowSample, Sample
from exporter.errors import ExportError
from exporter.variants.calibration import MAX_ITEMS, Items, read_items, sample_items
from runtime.backends import TensorSpec
from tests.forms import png

PICTURE = (TensorSpec("pixels", np.dtype(np.float32), (None, 2, 2, 1)),)
ANY_SIZE = (TensorSpec("pixels", np.dtype(np.float32), (None, None, None, 1)),)
PAIR = (
    TensorSpec("a", np.dtype(np.float32), (None, 2)),
    TensorSpec("b", np.dtype(np.int64), (None,)),
)
AS_IT_IS = Preprocess()


def items(count, labels=None):
    return Items({"x": np.arange(count)}, labels, f"the {count} of x")


def test_parts_are_apart_and_hold_every_class():
    labels = np.arange(60) % 10
    calibration, trial = items(60, labels).part()
    assert (len(calibration), len(trial)) == (20, 40)
    assert sorted([*calibration.inputs["x"], *trial.inputs["x"]]) == list(range(60))
    for part in (calibration, trial):
        assert part.labels is not None
        assert set(part.labels) == set(range(10))
        # Item i has class i % 10, so the labels stayed with their items.
        assert (part.inputs["x"] % 10 == part.labels).all()
    assert calibration.what == "20 of the 60 of x"


def test_few_items_serve_both_purposes():
    few = items(29)
    assert few.part() == (few, few)


def test_rows_are_taken_as_they_are_if_they_fit():
    x = np.float32([[1, 2], [3, np.nan]])
    spec = TensorSpec("x", np.dtype(np.float32), (None, 2))
    items = sample_items((spec,), AS_IT_IS, RowSample({"x": x, "more": x}))
    assert items is not None
    assert [*items.inputs] == ["x"]
    np.testing.assert_array_equal(items.inputs["x"], x)
    assert (items.labels, items.what) == (None, "the 2 of rows.npz")
    assert sample_items((spec,), AS_IT_IS, RowSample({"x": x[:, :1]})) is None


def test_a_sample_goes_through_the_preprocessing_of_the_service():
    images = np.array([[[[0], [255]], [[1], [2]]]], np.uint8)
    how = Preprocess(scale=0.5, invert=True)
    sample = sample_items(PICTURE, how, Sample(images, np.array([7])))
    assert sample is not None
    # The values are (255 - pixel) / 2.
    assert sample.inputs["pixels"].reshape(-1).tolist() == [127.5, 0, 127, 126.5]
    assert sample.labels.tolist() == [7]


@pytest.mark.parametrize("specs", [PAIR, PAIR[:1]])
def test_a_sample_of_images_is_nothing_for_other_models(specs):
    sample = Sample(np.zeros((1, 2, 2, 1), np.uint8), np.array([7]))
    assert sample_items(specs, AS_IT_IS, sample) is None


def test_images_are_read_from_subfolders_and_what_is_none_is_passed_over(tmp_path):
    (tmp_path / "cats").mkdir()
    (tmp_path / "dark.png").write_bytes(png(np.zeros((2, 2), np.uint8)))
    (tmp_path / "cats" / "white.jpg").write_bytes(png(np.full((4, 4), 255, np.uint8)))
    (tmp_path / "Thumbs.db").write_bytes(b"no image")
    read = read_items(tmp_path, PICTURE, AS_IT_IS)
    # The images are sorted by path, and have the model's size.
    assert read.inputs["pixels"].reshape(2, 4).tolist() == [[255] * 4, [0] * 4]
    assert read.labels is None
    assert read.what == f"the 2 images of {tmp_path.name}"


def test_of_many_images_some_are_chosen_evenly(tmp_path):
    for i in range(MAX_ITEMS + 44):
        shade = np.full((2, 2), 0 if i < 150 else 255, np.uint8)
        (tmp_path / f"{i:03}.png").write_bytes(png(shade))
    pixels = read_items(tmp_path, PICTURE, AS_IT_IS).inputs["pixels"]
    assert len(pixels) == 256
    assert pixels[:, 0, 0, 0].mean() == pytest.approx(255 / 2, abs=2)


def test_arrays_are_read_by_the_names_of_the_inputs(tmp_path):
    # numpy makes float64 of numbers without a given type.
    np.savez(tmp_path / "1.npz", a=np.ones((3, 2)), b=np.arange(3))
    np.savez(tmp_path / "2.npz", a=np.zeros((1, 2)), b=np.array([9]))
    read = read_items(tmp_path, PAIR, AS_IT_IS)
    assert read.inputs["a"].dtype == np.float32
    assert read.inputs["a"][:, 0].tolist() == [1, 1, 1, 0]
    assert read.inputs["b"].tolist() == [0, 1, 2, 9]


def test_an_npy_file_is_the_input_of_its_name(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2), np.float32))
    np.save(tmp_path / "b.npy", np.arange(3))
    assert read_items(tmp_path, PAIR, AS_IT_IS).inputs["b"].tolist() == [0, 1, 2]


def test_arrays_serve_a_model_of_images_too(tmp_path):
    np.save(tmp_path / "pixels.npy", np.full((3, 2, 2, 1), 0.5))
    read = read_items(tmp_path, PICTURE, Preprocess(scale=2))
    # The arrays hold what the model takes, not what a client sends.
    assert set(read.inputs["pixels"].reshape(-1)) == {0.5}


def arrays(**content):
    return lambda folder: np.savez(folder / "x.npz", **content)


def several_sizes(folder):
    for side in (2, 3):
        (folder / f"{side}.png").write_bytes(png(np.zeros((side, side), np.uint8)))


@pytest.mark.parametrize(
    ("fill", "specs", "sentence"),
    [
        (lambda folder: None, PICTURE, "holds no image that can be read"),
        (lambda folder: None, PAIR, "put arrays there, one each of a, b"),
        (lambda f: (f / "x.npz").write_bytes(b"PK"), PAIR, "x.npz holds no arrays"),
        (arrays(a=np.ones((3, 2))), PAIR, "input 'b' is missing"),
        (arrays(c=np.ones((3, 2))), PAIR, "no input 'c'"),
        (arrays(a=np.ones((3, 5)), b=np.arange(3)), PAIR, r"has shape \(3, 5\)"),
        (arrays(a=np.ones((3, 2)), b=np.ones(3)), PAIR, "'b' is float64 .* int64"),
        (arrays(a=np.ones((3, 2)), b=np.arange(4)), PAIR, "several lengths"),
        (arrays(a=np.array({})), PAIR, "x.npz holds no arrays"),
        (several_sizes, ANY_SIZE, "several sizes.*'preprocess.size'"),
    ],
)
def test_what_does_not_fit_is_a_sentence(tmp_path, fill, specs, sentence):
    fill(tmp_path)
    with pytest.raises(ExportError, match=sentence):
        read_items(tmp_path, specs, AS_IT_IS)
