from dataclasses import replace

import pytest
from click.testing import CliRunner

import exporter.export
from bundle.errors import BundleError
from bundle.parity import Case, Parity, Trial
from bundle.store import ModelStore
from exporter.cli import main
from exporter.errors import ExportError, ParityFailed, VariantRefused
from exporter.options import Options
from exporter.table import print_trial
from tests.examples import linear_onnx, write_bundle, write_variant

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


def test_what_is_asked_for_reaches_the_conversion(store, monkeypatch, tmp_path):
    asked = []

    def export(folder, options):
        asked.append(options)
        return PARITY

    monkeypatch.setattr(exporter.export, "export", export)
    given = ("--quantize", "int8", "--calibration", tmp_path, "--opset", "15")
    convert("linear", "--fp16", *given, "--inputs-as-nchw", "a,b", "-v")
    convert("linear")
    assert asked == [
        Options(
            15, ("a", "b"), fp16=True, int8=True, calibration=tmp_path, verbose=True
        ),
        Options(18, (), fp16=False, int8=False, calibration=None, verbose=False),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--quantize", "int4"),
        ("--opset", "19"),
        ("--calibration", "nosuchfolder"),
        ("--calibration", "params.json"),
    ],
)
def test_an_option_that_is_wrong_is_told_before_anything_is_done(
    store, exported, wrong, tmp_path
):
    (tmp_path / "params.json").touch()
    result = convert("linear", *wrong)
    assert (result.exit_code, exported) == (2, [])


def test_a_refused_variant_is_told_after_what_was_written(store, monkeypatch):
    def export(folder, options):
        write_variant(folder, "fp16", linear_onnx())
        raise VariantRefused(PARITY, ["model.int8.onnx is slower than fp32 here"])

    monkeypatch.setattr(exporter.export, "export", export)
    result = convert("linear", "--fp16", "--quantize", "int8")
    assert result.exit_code == 1
    for wrote in ("model.onnx", "model.fp16.onnx"):
        assert f"wrote models/linear/2/{wrote}" in result.output
    assert "model.int8.onnx is slower than fp32 here; model.onnx was" in result.output
    assert "wrote models/linear/2/model.int8.onnx" not in result.output


def test_a_variants_trial_is_shown(capsys):
    times = {"32": {"fp32": 13.74, "variant": 5.72}}
    trial = Trial("accuracy", 46, 0.98, 0.979, 0.1, "24 images", "CPU", times, 0.42)
    print_trial("int8", replace(PARITY, trial=trial))
    output = capsys.readouterr().out
    for part in ("97.90%", "98.00%", "46 items", "5.720 ms", "13.740 ms", "24 images"):
        assert part in output
