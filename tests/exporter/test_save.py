"""A Keras file is written as a SavedModel that answers as ``model.predict`` does."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import exporter.save
from exporter.child.run import Limits
from exporter.cli import main
from exporter.errors import ExportError, OutputError, SourceError
from exporter.export import silent
from exporter.save import save
from exporter.sources.source import find_source
from runtime.backends.saved_model import SavedModelBackend

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def in_this_process(monkeypatch):
    """Work in this process, which has imported TensorFlow already."""

    def run(work, order, *, tell, **_):
        return work(order, tell)

    monkeypatch.setattr(exporter.save, "run_in_child", run)


@pytest.fixture
def iris(keras, tmp_path):
    """Return a model of four numbers and three classes, and its file."""
    keras.utils.set_random_seed(1)
    dense = keras.layers.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input((4,), name="flower"), dense])
    model.save(tmp_path / "iris.keras")
    return model, tmp_path / "iris.keras"


def saved(file, folder):
    source = find_source(str(file), file.parent / "models")
    save(source, folder, limits=Limits(), tell=silent)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("ending", ["keras", "h5", "H5"])
def test_the_saved_model_answers_as_keras_does(iris, tmp_path, ending):
    model, _ = iris
    file = tmp_path / f"other.{ending}"
    model.save(tmp_path / f"other.{ending.lower()}")
    if ending == "H5":
        (tmp_path / "other.h5").rename(file)
    saved(file, tmp_path / "out")
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    answer = SavedModelBackend(tmp_path / "out").run({"flower": rows})
    np.testing.assert_allclose(answer["output_0"], model.predict(rows, verbose=0))


@pytest.mark.usefixtures("in_this_process")
def test_nothing_is_replaced(iris, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    with pytest.raises(OutputError, match="out is there already, and is not replaced"):
        saved(iris[1], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


@pytest.mark.usefixtures("in_this_process")
def test_an_empty_folder_is_filled(iris, tmp_path):
    (tmp_path / "out").mkdir()
    saved(iris[1], tmp_path / "out")
    assert (tmp_path / "out" / "saved_model.pb").is_file()


def test_only_keras_files_are_saved(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(SourceError, match="net is no Keras file, and needs no saving"):
        saved(tmp_path / "net", tmp_path / "out")


def test_links_that_a_hostile_model_left_are_not_followed(iris, tmp_path, monkeypatch):
    def run(work, order, **_):
        order.folder.mkdir()
        (order.folder / "saved_model.pb").symlink_to("/etc/hostname")

    monkeypatch.setattr(exporter.save, "run_in_child", run)
    with pytest.raises(ExportError, match=r"left saved_model\.pb, which is no plain"):
        saved(iris[1], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_tells_programs_how_it_ended(iris, tmp_path):
    out = str(tmp_path / "out")
    done = CliRunner().invoke(main, ["save", "--json", str(iris[1]), "--output", out])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"outcome": "converted", "reason": ""}
    (tmp_path / "no.keras").write_bytes(b"nonsense")
    file = str(tmp_path / "no.keras")
    done = CliRunner().invoke(main, ["save", "--json", file, "--output", f"{out}2"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["outcome"]) == (2, "refused")
    assert "no.keras is not a Keras file" in told["reason"]
