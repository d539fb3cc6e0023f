import pytest
from click.testing import CliRunner

import exporter.export
from bundle.errors import BundleError
from bundle.parity import Case, Parity
from bundle.store import ModelStore
from exporter.cli import main
from exporter.errors import ExportError, ParityFailed
from tests.examples import write_bundle

CASE = Case("sample", 7, 64, 3e-7, 4e-6, 1.0, True)
PARITY = Parity(
    True, "0", 1e-5, 1e-4, 3e-7, 4e-6, 1.0, 64, {"onnxruntime": 0.0721}, cases=(CASE,)
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = ModelStore(tmp_path / "models")
    for _ in range(2):
        store.install(write_bundle)
    return store


@pytest.fixture
def exported(monkeypatch):
    """Stands in for the conversion, and keeps the folders it was asked for."""
    folders = []

    def export(folder, options):
        folders.append(folder)
        return PARITY

    monkeypatch.setattr(exporter.export, "export", export)
    return folders


def convert(*arguments):
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


def test_a_name_is_the_newest_version_in_the_store(store, exported):
    result = convert("linear")
    assert result.exit_code == 0, result.output
    assert [str(folder) for folder in exported] == ["models/linear/2"]
    assert "models/linear/2/model.onnx" in result.output


def test_the_store_is_the_one_that_config_json_names(store, exported, tmp_path):
    store.root.rename(tmp_path / "elsewhere")
    (tmp_path / "config.json").write_text('{"modelDir": "elsewhere"}')
    convert("linear")
    assert [str(folder) for folder in exported] == ["elsewhere/linear/2"]


def test_models_dir_names_another_store(store, exported, tmp_path):
    store.root.rename(tmp_path / "elsewhere")
    convert("linear", "--models-dir", "elsewhere")
    assert [str(folder) for folder in exported] == ["elsewhere/linear/2"]


def test_a_path_is_taken_as_it_is(store, exported, tmp_path):
    folder = write_bundle(tmp_path / "flat")
    convert(folder)
    assert exported == [folder]


def test_the_table_shows_each_case(store, exported):
    output = convert("linear").output
    for cell in ("sample", "64", "3.0e-07", "4.0e-06", "100.00%", "0.072 ms"):
        assert cell in output


def test_an_unknown_name_lists_those_there_are(store, exported):
    result = convert("nosuch")
    assert result.exit_code == 2
    assert "the store has linear" in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BundleError("params.json is missing"), 2),
        (ExportError("tf2onnx cannot convert it"), 1),
        (ParityFailed(PARITY), 1),
    ],
)
def test_a_failure_is_a_sentence_and_an_exit_code(store, monkeypatch, error, code):
    def fail(folder, options):
        raise error

    monkeypatch.setattr(exporter.export, "export", fail)
    result = convert("linear")
    assert result.exit_code == code
    assert str(error) in result.output
    assert "Traceback" not in result.output


def test_without_tf2onnx_it_says_what_to_install(store, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = convert("linear")
    assert result.exit_code == 1
    assert "install the extra 'export'" in result.output
