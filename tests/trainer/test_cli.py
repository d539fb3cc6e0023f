"""The commands trainer run and trainer image work as people type them."""

from __future__ import annotations

import dataclasses
import errno
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bundle.errors import DomainError
from exporter.options import Options
from exporter.sources.source import Source
from tests.examples import file_size_limit
from tests.trainer.examples import assert_refused, names_in, run_trainer, write_picture
from trainer.checkpoint import Checkpoints
from trainer.data import DataSet
from trainer.formats import Arrays
from trainer.order import Order
from trainer.recipes import Choices
from trainer.settings import Settings
from trainer.train import Training


@pytest.fixture
def no_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "trainer.conversion.find_spec",
        lambda name: None if name in ("tf2onnx", "onnx") else find_spec(name),
    )


@pytest.fixture
def trained(
    training: Training, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replace the training in tests of the steps that follow it.

    The replacement is a copy of the training that other tests share, on the same
    images. It is a copy, because Keras changes a model's optimizer when it writes the
    model in several forms.
    """
    import keras

    def load(*given: object, **options: object) -> Training:
        model = keras.models.load_model(bundle_folder / "model.keras")
        return dataclasses.replace(training, model=model)

    monkeypatch.setattr("trainer.pipeline.train", load)


# --- trainer image


@pytest.mark.parametrize(("number", "digit"), [(3, 1), (2, 4)])
def test_image_is_the_one_of_the_data_set(
    tmp_path: Path, mnist_arrays: Arrays, number: int, digit: int
) -> None:
    path = tmp_path / "img.png"
    result = run_trainer("image", f"--fout={path}", f"--imgid={number}")
    assert result.exit_code == 0
    assert f"a {digit}," in result.output
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(picture), mnist_arrays.x_train[number])


def test_coloured_image_stays_coloured(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for number in range(2):
            path = tmp_path / "data" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 12), (1, 2, 3)).save(path)
    out = tmp_path / "a.png"
    arguments = ("--fin", tmp_path / "data", "--fout", out, "--imgid", 0)
    assert run_trainer("image", *arguments).exit_code == 0
    with Image.open(out) as picture:
        assert picture.getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("number", [-1, 500])
def test_image_out_of_range_is_refused(
    tmp_path: Path, few_npz: Path, number: int
) -> None:
    path = tmp_path / "a.png"
    result = run_trainer("image", "--fin", few_npz, "--fout", path, "--imgid", number)
    assert_refused(result, f"no image {number}", "0 to 499")
    assert not path.exists()


def test_image_into_no_folder_is_refused(tmp_path: Path, few_npz: Path) -> None:
    path = tmp_path / "none" / "a.png"
    result = run_trainer("image", "--fin", few_npz, "--fout", path, "--imgid", 0)
    assert_refused(result, "a.png cannot be written", "--fout")


def test_image_on_a_full_disk_is_work_that_failed(
    tmp_path: Path, few_npz: Path
) -> None:
    """``RLIMIT_FSIZE`` stands for a full disk: the kernel refuses the bytes."""
    path = tmp_path / "a.png"
    path.write_bytes(b"earlier")
    with file_size_limit(100):
        result = run_trainer("image", "--fin", few_npz, "--fout", path, "--imgid", 0)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {path} cannot be written: File too large; raise the limit on the size"
        " of a file (ulimit -f), or give another file with --fout\n"
    )
    assert names_in(tmp_path) == ["a.png"]
    assert path.read_bytes() == b"earlier"


@pytest.mark.slow
def test_standard_output_on_a_full_disk_is_one_sentence(
    tmp_path: Path, few_npz: Path
) -> None:
    out = str(tmp_path / "a.png")
    command = ["image", "--fin", str(few_npz), "--fout", out, "--imgid", "1"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "trainer", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (
        1,
        "Error: standard output cannot be written: No space left on device\n",
    )


@pytest.mark.slow
def test_image_and_help_leave_tensorflow_alone(tmp_path: Path, few_npz: Path) -> None:
    code = (
        "import sys\n"
        "from trainer.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    out = str(tmp_path / "a.png")
    for arguments in (
        ["image", "--fin", str(few_npz), "--fout", out, "--imgid", "1"],
        ["run", "--help"],
    ):
        subprocess.run(
            [sys.executable, "-c", code, *arguments], check=True, capture_output=True
        )


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("run", "--fin"),
        ("run", "--fout"),
        ("run", "--models-dir"),
        ("image", "--fin"),
        ("image", "--fout"),
    ],
)
def test_empty_path_is_not_the_folder_one_is_in(command: str, option: str) -> None:
    result = run_trainer(command, f"{option}=")
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': it is empty" in result.stderr


# --- trainer run: refusals before the training


def test_wrong_data_is_one_sentence(tmp_path: Path) -> None:
    result = run_trainer("run", f"--fin={tmp_path}/no.npz", "--models-dir", tmp_path)
    assert_refused(result, "no.npz", "check --fin")


def _photos(root: Path, count: int = 5) -> Path:
    for label in ("a", "b"):
        for number in range(count):
            write_picture(root / label / f"{number}.png", 9)
    return root


def _with_a_cut_picture(root: Path) -> Path:
    path = _photos(root) / "b" / "3.png"
    path.write_bytes(path.read_bytes()[:40])
    return root


def _list_without_labels(root: Path) -> Path:
    (_photos(root) / "list.csv").write_text("path,kind\na/0.png,a\n")
    return root / "list.csv"


def _archive_with_infinity(root: Path) -> Path:
    images = np.zeros((4, 12, 12), np.float32)
    images[2, 0, 0] = np.inf
    root.mkdir()
    np.savez(root / "a.npz", images=images, labels=np.arange(4) % 2)
    return root / "a.npz"


def _images_of_one_class(root: Path) -> Path:
    write_picture(root / "a" / "0.png", 9)
    write_picture(root / "a" / "1.png", 9)
    return root


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_with_a_cut_picture, ("1 of 10 images (10.0%)", "b/3.png", "replace or")),
        (_list_without_labels, ("list.csv has no column of labels", "path, kind")),
        (_archive_with_infinity, ("a.npz: the training images have inf in image 2",)),
        (_images_of_one_class, ("all training images are of one class",)),
        (lambda root: _photos(root, 1), ("no test images and one image a class",)),
        (lambda root: _photos(root) / "a", ("put its pictures into subfolders",)),
    ],
)
def test_broken_data_are_one_sentence_and_nothing_is_written(
    tmp_path: Path, make: Callable[[Path], Path], words: tuple[str, ...]
) -> None:
    fin = make(tmp_path / "data")
    result = run_trainer("run", "--fin", fin, "--fout", tmp_path / "out")
    assert_refused(result, *words)
    assert names_in(tmp_path) == ["data"]


def test_the_size_that_is_given_is_that_of_the_images(tmp_path: Path) -> None:
    """A size that the network cannot take shows it before any training."""
    fin = _photos(tmp_path / "data")
    result = run_trainer("run", "--fin", fin, "--size", "20x8", "--models-dir", fin)
    assert_refused(result, "20 x 8", "10 x 10")


def test_a_label_of_more_images_that_the_first_lack_is_refused(tmp_path: Path) -> None:
    fin, more = _photos(tmp_path / "data"), tmp_path / "more"
    write_picture(more / "c" / "0.png", 9)
    result = run_trainer("run", "--fin", fin, "--also", more, "--models-dir", tmp_path)
    assert_refused(result, "more has the label 'c', and --fin has only a, b")


def test_more_images_that_are_missing_are_told_of_by_their_option(
    tmp_path: Path,
) -> None:
    fin = _photos(tmp_path / "data")
    options = ("--also", tmp_path / "no", "--models-dir", tmp_path)
    result = run_trainer("run", "--fin", fin, *options)
    assert_refused(result, "there is no file or folder", "no; check --also")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--fin", "Invalid value for '--fin'"),
        ("--also", "Invalid value for '--also'"),
        ("--fout", "Invalid value for '--fout'"),
    ],
)
def test_a_path_that_cannot_be_reached_is_one_sentence(option: str, told: str) -> None:
    result = run_trainer("run", option, "a" * 300)
    assert result.exit_code == 2
    assert f"{told}: {'a' * 300} cannot be reached: File name" in result.stderr


def test_a_network_whose_file_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    name = f"{'a' * 300}.py"
    result = run_trainer("run", "--arch", f"{name}:build", "--models-dir", tmp_path)
    assert_refused(result, f"there is no file {name}; check --arch")


def test_a_column_of_labels_is_not_asked_of_images(tmp_path: Path) -> None:
    fin = _photos(tmp_path / "data")
    result = run_trainer("run", "--fin", fin, "--label", "kind", "--fout", fin / "m")
    assert_refused(result, "data holds images without columns; --label is for tables")


def test_more_images_of_a_list_have_the_same_column_of_labels(tmp_path: Path) -> None:
    data = _photos(tmp_path / "data")
    text = "".join(f"{name}/{i}.png,{name}\n" for name in "ab" for i in range(5))
    (data / "list.csv").write_text(f"path,kind\n{text}")
    (data / "more.csv").write_text("path,kind\nb/0.png,c\n")
    options = ("--label", "kind", "--also", data / "more.csv", "--fout", data / "m")
    result = run_trainer("run", "--fin", data / "list.csv", *options)
    assert_refused(result, "more.csv has the label 'c', and --fin has only a, b")


def test_a_disk_too_full_for_the_pixels_is_work_that_failed(tmp_path: Path) -> None:
    fin, images = tmp_path / "a.npz", np.zeros((2000, 28, 28), np.uint8)
    np.savez_compressed(fin, images=images, labels=np.arange(2000) % 2)
    arguments = ("--fin", fin, "--memory", 1, "--fout", tmp_path / "out")
    with file_size_limit(1000):
        result = run_trainer("run", *arguments)
    assert result.exit_code == 1
    assert "the file for the pixels cannot be written: File too large" in result.stderr
    assert names_in(tmp_path) == ["a.npz"]


def test_too_small_images_are_refused(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for number in range(2):
            write_picture(tmp_path / "data" / label / f"{number}.png", 1, size=(9, 9))
    result = run_trainer("run", "--fin", tmp_path / "data", "--fout", tmp_path / "out")
    assert_refused(result, "9 x 9", "10 x 10")


def test_folder_of_something_else_is_refused(tmp_path: Path, few_npz: Path) -> None:
    result = run_trainer("run", "--fin", few_npz, "--fout", few_npz.parent)
    assert_refused(result, "holds few.npz, which is no part of a bundle", "--fout")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--epochs", "0"),
        ("--batch_size", "0"),
        ("--batch-size", "x"),
        ("--model", "../mnist"),
        ("--h5", "../mnist"),
        ("--seed", "-1"),
        ("--seed", str(2**32)),
        ("--patience", "0"),
        ("--recipe", "slow"),
        ("--precision", "16"),
        ("--tune", "-1"),
        ("--memory", "0"),
        ("--size", "28x"),
        ("--size", "0"),
        ("--size", "28x5000"),
        ("--size", "1x2x3"),
    ],
)
def test_wrong_option_is_named(tmp_path: Path, option: str, value: str) -> None:
    result = run_trainer("run", "--models-dir", tmp_path / "models", option, value)
    assert result.exit_code == 2
    assert f"Invalid value for '{option.replace('_', '-')}'" in result.stderr.replace(
        "_", "-"
    )
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--patience", 3, "--epochs", 3],
            "--patience 3 never ends a training of 3 epochs; give a smaller number",
        ),
        (["--patience", 1], "--patience 1 never ends a training of 1 epoch; give"),
        (["--patience", 12, "--recipe", "best"], "ends a training of 12 epochs;"),
        (["--arch", "cnn", "--from", "mnist"], "leave --arch or --from out"),
        (["--arch", "resnet"], "there is no network resnet; --arch takes cnn, "),
        (["--arch", "nowhere.py:f"], "there is no file nowhere.py; check --arch"),
        (["--from", "cats:3"], "there is no model 'cats:3' in"),
        (["--arch", "mobilenet"], "28 x 28 pixels and the network mobilenet needs 32"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_tensorflow(
    tmp_path: Path, few_npz: Path, options: list[object], told: str
) -> None:
    place = ("--fin", few_npz, "--models-dir", tmp_path / "models")
    assert_refused(run_trainer("run", *place, *options), told)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (("--precision", "mixed"), "--precision mixed is for images"),
        (("--size", 12), "a.csv holds a table; --size and --memory are for images"),
        (("--memory", 5), "a.csv holds a table; --size and --memory are for images"),
    ],
)
def test_a_table_takes_no_option_of_images(
    tmp_path: Path, option: tuple[object, ...], told: str
) -> None:
    (tmp_path / "a.csv").write_text("pt,label\n1,a\n2,b\n")
    place = ("--fin", tmp_path / "a.csv", "--fout", tmp_path / "m")
    assert_refused(run_trainer("run", *place, *option), told)


def test_search_without_optuna_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "trainer.search.find_spec",
        lambda name: None if name == "optuna" else find_spec(name),
    )
    result = run_trainer("run", "--models-dir", tmp_path, "--tune", 3)
    assert_refused(result, "--tune needs Optuna", "install the extra 'tune'")


@pytest.mark.parametrize("missing", ["tensorflow", "keras", "matplotlib"])
def test_missing_engine_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(
        "trainer.engine.find_spec",
        lambda name: None if name == missing else find_spec(name),
    )
    result = run_trainer("run", "--models-dir", tmp_path)
    assert_refused(
        result,
        f"training needs {missing}, which is not installed;"
        " install the extra 'train' (docs/installing.md)",
    )


def test_store_is_the_one_of_config_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text(json.dumps({"modelDir": "file/store"}))
    Path("file").write_text("")
    assert_refused(run_trainer("run"), "file is a file")


# --- trainer run: the files that it writes


@pytest.mark.tensorflow
@pytest.mark.usefixtures("tensorflow", "no_exporter")
class TestWithoutExporter:
    @pytest.mark.usefixtures("trained")
    def test_store_gets_a_version_and_onnx_is_told_of(
        self, tmp_path: Path, few_npz: Path
    ) -> None:
        result = run_trainer("run", "--fin", few_npz, "--models-dir", tmp_path)
        assert result.exit_code == 0, result.output
        folder = tmp_path / "mnist" / "1"
        assert f"saved model to {folder}\n" in result.output
        assert "model.onnx" not in names_in(folder)
        assert names_in(tmp_path) == ["mnist"]
        assert (
            "ONNX was not added: install the extra 'export' (docs/installing.md) and"
            f" run: exporter convert mnist --models-dir {tmp_path}\n" in result.output
        )

    def test_seed_documents_spelling_writes_a_flat_bundle(
        self, tmp_path: Path, few_npz: Path
    ) -> None:
        out = tmp_path / "mnist"
        result = run_trainer(
            "run",
            *(f"--fin={few_npz}", f"--fout={out}", "--model=digits", "--epochs", 2),
            *("--batch_size", 100, "--h5", "digits"),
        )
        assert result.exit_code == 0, result.output
        assert {"saved_model.pb", "params.json", "digits.h5"} <= set(names_in(out))
        params = json.loads((out / "params.json").read_text())
        assert params["name"] == "digits"
        # few.npz has images of MNIST.
        assert params["preprocess"] == {
            "polarity": "auto",
            "fit": {"box": [20, 20], "centre": "mass"},
        }
        lines = result.output.splitlines()
        assert not any("replacing" in line for line in lines)
        assert lines[:3] == [
            "x_train shape: (500, 28, 28, 1)",
            "500 train samples",
            "100 test samples",
        ]
        assert "Total params: 34,826" in result.output
        assert [line[:10] for line in lines if line.startswith("epoch ")] == [
            "epoch 1/2:",
            "epoch 2/2:",
        ]
        assert f"### input ['{params['input_name']}:0']" in lines
        assert f"### output ['{params['output_name']}:0']" in lines
        assert f"exporter convert {out}" in lines[-1]
        report = json.loads((out / "report" / "metrics.json").read_text())
        # The seed is printed and kept, even if the user gave none.
        assert f"seed: {report['seed']}" in lines
        assert f"Test accuracy: {report['test_accuracy']}" in lines

    def test_resume_needs_a_checkpoint_of_the_same_order(
        self, tmp_path: Path, few_npz: Path
    ) -> None:
        place = ("--fin", few_npz, "--models-dir", tmp_path)
        result = run_trainer("run", *place, "--epochs", 2, "--resume")
        assert_refused(result, "there is no checkpoint in", "leave --resume out")
        assert names_in(tmp_path) == []

    @pytest.mark.usefixtures("trained")
    def test_a_checkpoint_is_told_of_and_gone_after_the_training(
        self, tmp_path: Path, few_npz: Path, few_data: DataSet
    ) -> None:
        order = Order(few_npz, None, "mnist", Choices(4, epochs=2))
        checkpoints = Checkpoints(tmp_path, "mnist", order.deciding, few_data)
        learner: Any = SimpleNamespace(
            variables=[], epoch=1, history={}, seconds=1, best=None, ended=False
        )
        checkpoints.write(learner, Settings(2, 128, 4), ())
        place = ("--fin", few_npz, "--models-dir", tmp_path)
        result = run_trainer("run", *place, "--epochs", 3, "--resume")
        assert_refused(result, "of an order with --epochs 2, not 3; give the same")
        result = run_trainer("run", *place, "--epochs", 2)
        assert result.exit_code == 0, result.output
        assert "--resume would go on after epoch 1; now the training" in result.output
        assert names_in(tmp_path) == ["mnist"]

    @pytest.mark.usefixtures("trained")
    def test_no_fit_leaves_pictures_as_they_are(
        self, tmp_path: Path, few_npz: Path
    ) -> None:
        out = tmp_path / "mnist"
        result = run_trainer("run", "--fin", few_npz, "--fout", out, "--no-fit")
        assert result.exit_code == 0, result.output
        assert "preprocess" not in json.loads((out / "params.json").read_text())

    @pytest.mark.usefixtures("trained")
    def test_more_images_do_not_decide_the_form(
        self, tmp_path: Path, few: Arrays, few_npz: Path
    ) -> None:
        """6 of 500 images are noise, and would be too few among 1000."""
        images = few.x_train[:].copy()
        images[:6] = np.random.default_rng(0).integers(0, 256, (6, 28, 28))
        parts = {"y_train": few.y_train, "x_test": few.x_test, "y_test": few.y_test}
        np.savez(tmp_path / "a.npz", x_train=images, **parts)
        out = tmp_path / "mnist"
        options = ("--also", few_npz, "--fout", out, "--no-report")
        result = run_trainer("run", "--fin", tmp_path / "a.npz", *options)
        assert result.exit_code == 0, result.output
        assert "preprocess" not in json.loads((out / "params.json").read_text())

    # The limits are bytes of a file: the weights have 280,000, and Keras's file has
    # 450,000.
    @pytest.mark.usefixtures("trained")
    @pytest.mark.parametrize("limit", [100_000, 300_000])
    def test_full_disk_is_work_that_failed_and_leaves_nothing(
        self, tmp_path: Path, few_npz: Path, limit: int
    ) -> None:
        out = tmp_path / "mnist"
        arguments = ("run", "--fin", few_npz, "--fout", out, "--h5", "digits")
        with file_size_limit(limit):
            result = run_trainer(*arguments)
        assert result.exit_code == 1, result.output
        assert result.stderr == (
            f"Error: {out} cannot be written: File too large; raise the limit on the"
            " size of a file (ulimit -f), or give another folder with --fout\n"
        )
        assert names_in(tmp_path) == []

    @pytest.mark.usefixtures("trained")
    def test_second_training_says_that_it_replaces_the_first(
        self, tmp_path: Path, few_npz: Path
    ) -> None:
        out = tmp_path / "mnist"
        for h5 in (["--h5", "first"], []):
            result = run_trainer("run", "--fin", few_npz, "--fout", out, *h5)
            assert result.exit_code == 0, result.output
        assert result.output.startswith(f"replacing the bundle in {out}\n")
        assert "first.h5" not in names_in(out)

    def test_folder_of_images_gives_labels_size_and_channels(
        self, tmp_path: Path
    ) -> None:
        for value, label in ((10, "dark"), (200, "light")):
            for number in range(5):
                path = tmp_path / "data" / label / f"{number}.png"
                write_picture(path, value + number, size=(14, 12))
        write_picture(tmp_path / "data" / "dark" / "0.png", 10, size=(28, 24))
        (tmp_path / "data" / "LICENSE").write_text("")
        out = tmp_path / "out"
        result = run_trainer("run", "--fin", tmp_path / "data", "--fout", out)
        assert result.exit_code == 0, result.output
        assert result.output.splitlines()[:4] == [
            "1 of 10 images is brought to 12 x 14, the most common size",
            "1 file beside the class folders was passed over",
            "there are no test images: 2 images, 20% of each class by chance (seed 4),"
            " are held out",
            "x_train shape: (8, 12, 14, 1)",
        ]
        assert (out / "labels.txt").read_text() == "dark\nlight\n"


def _fake_exporter(
    monkeypatch: pytest.MonkeyPatch, failure: DomainError | OSError | None
) -> list[Path]:
    """Return an exporter that writes one word or fails, and remembers the folders."""
    folders: list[Path] = []

    def export(source: Source, options: Options) -> str:
        folders.append(source.folder)
        if failure:
            raise failure
        (source.folder / "model.onnx").write_text("proved")
        return "the table"

    exporting, table = (
        ModuleType("exporter.export"),
        ModuleType("exporter.reports.table"),
    )
    exporting.__dict__["export"] = export
    table.__dict__["print_table"] = print
    monkeypatch.setitem(sys.modules, "exporter.export", exporting)
    monkeypatch.setitem(sys.modules, "exporter.reports.table", table)
    monkeypatch.setattr("trainer.conversion.find_spec", lambda name: "there")
    return folders


@pytest.mark.tensorflow
@pytest.mark.usefixtures("trained")
class TestWithExporter:
    def test_onnx_appears_with_its_version(
        self, tmp_path: Path, few_npz: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (staged,) = self._run(tmp_path, few_npz, monkeypatch, None, 0)
        # The ONNX was made before the version could be seen.
        assert staged.is_relative_to(tmp_path / ".staging")
        onnx = tmp_path / "mnist" / "1" / "model.onnx"
        assert onnx.read_text() == "proved"

    @pytest.mark.parametrize(
        "failure",
        [
            DomainError("the ONNX answers otherwise"),
            OSError(errno.ENOSPC, "No space left on device", "scratch/model.onnx"),
        ],
    )
    def test_failed_conversion_leaves_a_bundle_without_onnx(
        self,
        tmp_path: Path,
        few_npz: Path,
        monkeypatch: pytest.MonkeyPatch,
        failure: DomainError | OSError,
    ) -> None:
        self._run(tmp_path, few_npz, monkeypatch, failure, 1)
        files = names_in(tmp_path / "mnist" / "1")
        assert "saved_model.pb" in files
        assert "model.onnx" not in files

    def test_no_onnx_asks_for_none(
        self, tmp_path: Path, few_npz: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert not self._run(tmp_path, few_npz, monkeypatch, None, 0, "--no-onnx")

    def _run(
        self,
        store: Path,
        data: Path,
        monkeypatch: pytest.MonkeyPatch,
        failure: DomainError | OSError | None,
        exit_code: int,
        *more: str,
    ) -> list[Path]:
        folders = _fake_exporter(monkeypatch, failure)
        result = run_trainer("run", "--fin", data, "--models-dir", store, *more)
        assert result.exit_code == exit_code, result.output
        assert ("the table" in result.stdout) == bool(not failure and not more)
        why = failure.strerror if isinstance(failure, OSError) else failure
        sentence = f"Error: the bundle was written without ONNX: {why}\n"
        assert result.stderr == (sentence if failure else "")
        return folders


@pytest.mark.tensorflow
@pytest.mark.usefixtures("trained", "no_exporter")
class TestReport:
    def test_it_has_the_command_that_trains_again(
        self, tmp_path: Path, few_npz: Path
    ) -> None:
        out = tmp_path / "out"
        # The settings are those of the training that other tests share.
        run_trainer(
            "run", "--fin", few_npz, "--fout", out, "--model", "few", "--h5", "x"
        )
        metrics = json.loads((out / "report" / "metrics.json").read_text())
        assert metrics["command"] == (
            "trainer run --fin few.npz --model few --epochs 1 --batch-size 50 --seed 7"
        )
        assert metrics["model"] == "few"

    def test_no_report_writes_none(self, tmp_path: Path, few_npz: Path) -> None:
        out = tmp_path / "out"
        result = run_trainer("run", "--fin", few_npz, "--fout", out, "--no-report")
        assert result.exit_code == 0
        assert "report" not in names_in(out)
        assert "saved_model.pb" in names_in(out)


# --- Ctrl-C and SIGTERM, in a real process

# A shell that runs the tests in the background ignores SIGINT, and a child inherits
# that.
_MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from trainer.cli import main; main(prog_name='trainer')"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "epochs", "seen"),
    [
        (signal.SIGINT, 1, "x_train shape"),  # it comes in TensorFlow's import
        # The signal comes while it trains.
        (signal.SIGINT, 10000, "epoch 1/"),
        (signal.SIGTERM, 10000, "epoch 1/"),
    ],
)
def test_interrupted_training_leaves_nothing_but_a_checkpoint(
    tmp_path: Path, few_npz: Path, number: signal.Signals, epochs: int, seen: str
) -> None:
    arguments = ["run", "--fin", str(few_npz), "--epochs", str(epochs)]
    place = ["--models-dir", str(tmp_path / "models")]
    with subprocess.Popen(
        [sys.executable, "-c", _MAIN, *arguments, *place],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(seen):
                break
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    # Both are compared together, because a crash tells nothing but its number.
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    told = "interrupted; nothing was written"
    if epochs > 1:
        assert [path.parent for path in left] == [tmp_path / "models/.training/mnist"]
        told += (
            r" but a checkpoint after epoch \d+; the same command with --resume goes on"
            " from it"
        )
    else:
        assert left == []
    assert process.returncode == 128 + number
    assert re.fullmatch(f"{told}\n", errors)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "image"])
def test_interrupt_in_the_first_imports_is_no_traceback(
    tmp_path: Path, command: str
) -> None:
    # The first thing that numpy imports sends the signal.
    code = (
        "import os, signal, sys\n"
        "import trainer.cli\n"
        "assert not {'numpy', 'PIL'} & sys.modules.keys()\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'numpy': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "trainer.cli.main(prog_name='trainer')\n"
    )
    arguments = ["--fout", str(tmp_path / "out")]
    if command == "image":
        arguments += ["--imgid", "3"]
    result = subprocess.run(
        [sys.executable, "-c", code, command, *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.stderr == "interrupted; nothing was written\n"
    assert result.returncode == 128 + signal.SIGINT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_module_runs_as_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "trainer", "--version"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout.startswith("trainer, version ")
