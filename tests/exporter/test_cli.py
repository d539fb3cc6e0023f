"""The command line, its output and exit codes are tested; a stand-in does the work."""

import json
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import exporter.bench
import exporter.export
import exporter.reports.section
import exporter.verify
from bundle.errors import BundleError, StoreError
from bundle.parity import Case, Parity, Trial
from bundle.store import ModelStore
from exporter.bench import Timing
from exporter.child.run import GIB, Limits
from exporter.cli import main
from exporter.errors import (
    DrawsNumbers,
    ExportError,
    MemoryLimitReached,
    NotDrawn,
    OutputError,
    ParityFailed,
    SourceError,
    TimeLimitReached,
    VariantRefused,
    WorkFailed,
)
from exporter.options import Options
from exporter.reports.table import print_trial
from exporter.verify import Verdict
from tests.examples import linear_onnx, write_bundle, write_variant
from tests.exporter.sources.test_source import saved_model

CASE = Case("sample", 7, 64, 3e-7, 4e-6, 1.0, True)
PARITY = Parity(
    True, "0", 1e-5, 1e-4, 3e-7, 4e-6, 1.0, 64, {"onnxruntime": 0.0721}, cases=(CASE,)
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = ModelStore(tmp_path / "models")
    for _ in range(2):
        store.install(lambda folder: saved_model(folder, "linear"))
    return store


@pytest.fixture
def exported(monkeypatch):
    """Stand in for the conversion, and keep what it was asked for."""
    orders = []

    def export(source, options, *, destination, limits, tell):
        orders.append((source, options, destination, limits))
        tell("converting")
        return PARITY

    monkeypatch.setattr(exporter.export, "export", export)
    return orders


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def convert(*arguments):
    return run("convert", *arguments)


def folders(exported):
    return [str(source.folder) for source, *_ in exported]


def test_a_name_is_the_newest_version_in_the_store(store, exported):
    result = convert("linear")
    assert result.exit_code == 0, result.output
    assert folders(exported) == ["models/linear/2"]
    assert result.stdout.startswith("converting models/linear/2\n")
    assert result.stdout.endswith("wrote models/linear/2/model.onnx\n")


@pytest.mark.parametrize("spec", ["linear:1", "linear@stable"])
def test_a_version_or_label_is_that_version(store, exported, spec):
    store.set_label("linear", "stable", 1)
    convert(spec)
    assert folders(exported) == ["models/linear/1"]


@pytest.mark.parametrize(
    ("more", "is_measured"),
    [((), True), (("--no-latency",), False), (("--output", "other"), False)],
)
def test_latency_is_measured_for_the_report_of_this_bundle(
    store, exported, more, is_measured
):
    report = store.root / "linear" / "2" / "report"
    report.mkdir()
    (report / "report.html").write_text("a page")
    convert("linear", *more)
    convert("linear:1", *more)
    assert [options.latency for _, options, *_ in exported] == [is_measured, False]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_section_that_fails_is_a_warning(store, exported, monkeypatch, more):
    report = store.root / "linear" / "2" / "report"
    report.mkdir()
    (report / "report.html").write_text("a page")
    folders = []

    def add_section(folder):
        folders.append(folder)
        return "warning: no font"

    monkeypatch.setattr(exporter.reports.section, "add_section", add_section)
    result = convert("linear", *more)
    assert result.exit_code == 0
    assert result.stderr.endswith("\nwarning: no font\n")
    assert [folder.name for folder in folders] == ["2"]


def test_the_store_is_the_one_that_config_json_names(store, exported, tmp_path):
    store.root.rename(tmp_path / "elsewhere")
    (tmp_path / "config.json").write_text('{"modelDir": "elsewhere"}')
    convert("linear")
    assert folders(exported) == ["elsewhere/linear/2"]


def test_models_dir_names_another_store(store, exported, tmp_path):
    store.root.rename(tmp_path / "elsewhere")
    convert("linear", "--models-dir", "elsewhere")
    assert folders(exported) == ["elsewhere/linear/2"]


def test_a_path_is_taken_as_it_is(store, exported, tmp_path):
    folder = saved_model(tmp_path / "flat")
    convert(folder)
    assert folders(exported) == [str(folder)]


def test_without_flags_the_defaults_are_those_of_the_library(store, exported):
    convert("linear")
    ((source, options, destination, limits),) = exported
    assert (options, limits) == (Options(), Limits())
    assert destination.model == source.folder / "model.onnx"


def test_each_flag_reaches_the_work(store, exported, tmp_path):
    flags = "--opset 17 --inputs-as-nchw a,b --inputs-as-nchw c --output out -v"
    limits = "--time-limit 60 --memory-limit 1.5 --signature embed"
    result = convert("linear", *flags.split(), *limits.split())
    assert result.exit_code == 0, result.output
    ((source, options, destination, limits),) = exported
    assert source.signature == "embed"
    assert options == Options(17, ("a", "b", "c"), verbose=True)
    assert destination.model == Path("out/model.onnx")
    assert limits == Limits(60, GIB + GIB // 2)


def test_nodes_of_a_frozen_graph(tmp_path, exported):
    (tmp_path / "net.pb").touch()
    convert(tmp_path / "net.pb", "--inputs", "a, b", "--outputs", "c:1")
    ((source, *_),) = exported
    assert (source.inputs, source.outputs) == (("a", "b"), ("c:1",))


@pytest.mark.parametrize(
    "flags",
    [
        ["--opset", "3"],
        ["--time-limit", "0"],
        ["--memory-limit", "0"],
        ["--memory-limit", "much"],
    ],
)
def test_a_value_that_makes_no_sense_is_refused(store, exported, flags):
    result = convert("linear", *flags)
    assert result.exit_code == 2
    assert flags[0] in result.stderr
    assert not exported


def test_steps_go_to_standard_error_one_a_line(store, exported):
    result = convert("linear")
    assert result.stderr == "  converting\n"


def test_the_table_shows_each_case(store, exported):
    output = convert("linear").output
    for cell in ("sample", "64", "3.0e-07", "4.0e-06", "100.00%", "0.072 ms"):
        assert cell in output


def test_an_unknown_name_lists_those_there_are(store, exported):
    result = convert("nosuch")
    assert result.exit_code == 2
    assert "the store has linear" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "more"),
    [
        (BundleError("params.json is missing"), 2, ""),
        (SourceError("there is a Lambda layer"), 2, ""),
        (OutputError("it is there"), 2, ""),
        (ExportError("it crashed"), 1, "; TensorFlow will serve this model"),
        (NotDrawn("it takes nothing"), 1, ""),
        (DrawsNumbers("it draws numbers"), 1, ""),
        (ParityFailed(PARITY), 1, ""),
    ],
)
def test_a_failure_is_a_sentence_and_an_exit_code(
    store, monkeypatch, error, code, more
):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(exporter.export, "export", fail)
    result = convert("linear")
    assert result.exit_code == code
    assert result.stderr == f"Error: {error}{more}\n"


@pytest.mark.parametrize(
    ("error", "code", "outcome"),
    [
        (BundleError("params.json is missing"), 2, "refused"),
        (SourceError("there is a Lambda layer"), 2, "refused"),
        (OutputError("it is there"), 2, "refused"),
        (StoreError("the disk is full"), 1, "failed"),
        (ExportError("it has texts"), 1, "refused"),
        (ParityFailed(PARITY), 1, "refused"),
        (VariantRefused(PARITY, ["it is slower"]), 1, "refused"),
        (WorkFailed("it crashed"), 1, "failed"),
        (TimeLimitReached("it took long"), 1, "too_slow"),
        (MemoryLimitReached("it took much"), 1, "too_large"),
    ],
)
def test_as_json_a_failure_is_its_word_and_its_bare_sentence(
    store, monkeypatch, error, code, outcome
):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(exporter.export, "export", fail)
    result = convert("linear", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout) == {"outcome": outcome, "reason": str(error)}
    assert result.stderr.startswith(f"Error: {error}"), "for people, as ever"


def test_as_json_a_conversion_prints_one_line(store, exported):
    result = convert("linear", "--json", "--fp16")
    assert result.exit_code == 0
    assert result.stdout == '{"outcome": "converted", "reason": ""}\n'


def test_as_json_an_unknown_name_is_refused(store):
    said = json.loads(convert("nosuch", "--json").stdout)
    assert said["outcome"] == "refused"
    assert "the store has linear" in said["reason"]


def test_as_json_a_missing_tf2onnx_is_a_failure(store, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = json.loads(convert("linear", "--json").stdout)
    assert said["outcome"] == "failed"
    assert "install the extra 'export'" in said["reason"]


def test_there_may_be_no_limit_of_time(store, exported):
    convert("linear", "--no-time-limit")
    assert [limits for *_, limits in exported] == [Limits(seconds=None)]


def test_of_a_keras_file_nobody_says_that_it_is_served(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise ExportError("it crashed")

    monkeypatch.setattr(exporter.export, "export", fail)
    (tmp_path / "m.keras").touch()
    assert convert(tmp_path / "m.keras").stderr == "Error: it crashed\n"


@pytest.mark.parametrize("command", ["convert", "verify", "bench"])
def test_without_tf2onnx_it_says_what_to_install(store, monkeypatch, command):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run(command, "linear")
    assert result.exit_code == 1
    assert "install the extra 'export'" in result.stderr


def test_a_model_is_trusted_where_it_is_told_so(store, exported):
    convert("linear")
    convert("linear", "--trust")
    assert [source.trusted for source, *_ in exported] == [False, True]


def test_what_is_asked_for_reaches_the_conversion(store, monkeypatch, tmp_path):
    asked = []

    def export(source, options, **others):
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
    def export(source, options, **others):
        write_variant(source.folder, "fp16", linear_onnx())
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


# --- verify


@pytest.mark.parametrize(
    ("faults", "code"), [((), 0), (("one is damaged", "another too"), 1)]
)
def test_verify_prints_the_table_and_says_what_is_wrong(
    store, monkeypatch, faults, code
):
    orders = []

    def verify(source, destination, *, limits, tell, verbose):
        orders.append((source.folder, destination.model))
        return Verdict(faults, PARITY)

    monkeypatch.setattr(exporter.verify, "verify", verify)
    result = run("verify", "linear", "--onnx", "other.onnx")
    assert result.exit_code == code
    assert "3.0e-07" in result.stdout
    assert result.stderr == ("Error: one is damaged; another too\n" if faults else "")
    assert orders == [(Path("models/linear/2"), Path("other.onnx"))]


def test_verify_of_what_has_no_onnx_is_wrong_input(store):
    result = run("verify", "linear")
    assert result.exit_code == 2
    assert "make it with: exporter convert" in result.stderr


# --- bench


def test_bench_prints_both_engines_side_by_side_and_draws_them(
    store, monkeypatch, tmp_path
):
    def bench(source, destination, *, limits, tell, verbose):
        return (Timing("tensorflow", 1, 32, 4.0), Timing("onnxruntime", 1, 32, 0.5))

    monkeypatch.setattr(exporter.bench, "bench", bench)
    result = run("bench", "linear", "--plot", tmp_path / "bench.png")
    assert result.exit_code == 0, result.output
    for cell in ("32", "4.000", "0.500", "8.00 x"):
        assert cell in result.stdout
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_bench_of_what_cannot_run_exits_1(store, monkeypatch):
    def fail(*arguments, **options):
        raise ExportError("onnxruntime cannot be timed: it crashed")

    monkeypatch.setattr(exporter.bench, "bench", fail)
    result = run("bench", "linear")
    assert result.exit_code == 1
    assert result.stderr == "Error: onnxruntime cannot be timed: it crashed\n"


@pytest.mark.parametrize(
    ("command", "option"), [("verify", "--worst"), ("bench", "--plot")]
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    store, tmp_path, command, option
):
    """The work takes minutes, and would first say that the source has no ONNX."""
    result = run(command, "linear", option, tmp_path / "missing" / "file")
    assert result.exit_code == 2
    assert "missing is no folder that can be written" in "".join(
        result.stderr.split("\n")
    )


def test_calibration_that_nothing_would_use_is_refused(exported, store, tmp_path):
    result = run("convert", "linear", "--calibration", tmp_path)
    assert result.exit_code == 2
    assert "--calibration needs --quantize or --fp16" in result.stderr
    assert exported == []


def test_a_full_disk_leaves_the_earlier_worst_batch(store, tmp_path, monkeypatch):
    """``RLIMIT_FSIZE`` stands for a full disk: the kernel refuses the bytes."""
    place = tmp_path / "worst.npz"
    place.write_bytes(b"earlier")
    verdict = Verdict((), PARITY, {"input/x": np.zeros(100_000)})
    monkeypatch.setattr(exporter.verify, "verify", lambda *args, **options: verdict)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        result = run("verify", "linear", "--worst", place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.exit_code == 1
    assert "worst.npz cannot be written: File too large" in result.stderr
    assert place.read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.glob("*worst*")] == ["worst.npz"]


# --- inspect


@pytest.mark.slow
@pytest.mark.parametrize("given", ["name", "folder", "file"])
def test_inspect_takes_a_model_a_bundle_or_a_file(store, tmp_path, given):
    folder = store.install(write_bundle).path
    spelled = {"name": "linear:3", "folder": folder, "file": folder / "model.onnx"}
    result = run("inspect", spelled[given], "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    # The model has 4 x 3 weights, each multiplied and added once.
    assert (shown["parameters"], shown["flops"]) == (12, 24)
    assert shown["operators"] == {"Flatten": 1, "MatMul": 1}


@pytest.mark.slow
def test_inspect_prints_a_table(store):
    store.install(write_bundle)
    output = run("inspect", "linear").stdout
    for text in ("float32 (batch, 2, 2, 1)", "1 Flatten, 1 MatMul", "24 an item"):
        assert text in output


def test_inspect_of_what_has_no_onnx_is_wrong_input(store):
    result = run("inspect", "linear")
    assert result.exit_code == 2
    assert "/model.onnx; make it with: exporter convert" in result.stderr


# --- ranges


def test_a_declared_range_reaches_the_conversion(store, exported):
    convert("linear", "--range", "a=b=-1:2.5", "--range", "ids=0:9")
    ((source, *_),) = exported
    assert source.ranges == {"a=b": (-1, 2.5), "ids": (0, 9)}


def test_a_shape_reaches_the_conversion(store, exported):
    convert("linear", "--shape", "a=b=N, 3,N", "--shape", "x=N")
    ((source, *_),) = exported
    assert source.shapes == {"a=b": (None, 3, None), "x": (None,)}


@pytest.mark.parametrize("text", ["x", "=N,3", "x=", "x=N,0", "x=N,-1", "x=N,a"])
def test_a_shape_that_is_none_is_told(store, exported, text):
    result = convert("linear", "--shape", text)
    assert result.exit_code == 2
    assert "is not INPUT=LENGTH" in result.stderr
    assert not exported


@pytest.mark.parametrize("text", ["ids", "=0:1", "ids=0", "ids=9:0", "ids=0:inf"])
def test_a_range_that_is_none_is_told(store, exported, text):
    result = convert("linear", "--range", text)
    assert (result.exit_code, exported) == (2, [])
    assert "such as ids=0:999" in result.stderr
