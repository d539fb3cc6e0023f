"""The table of ``runtime top``: a line a model, which fits into 80 columns."""

import io

from rich.console import Console

from runtime.admin.load import Load, ModelLoad
from runtime.cli.load_table import load_table, print_load


def model_load(model="mnist", **facts):
    usual = {
        "requests_per_second": 12_345.6,
        "errors_per_second": 0.25,
        "p50_seconds": 0.00042,
        "p99_seconds": 0.0123,
        "queue_seconds": 1.5,
        "bytes": 1_300_000,
        "engine": "onnxruntime/CUDA",
        **facts,
    }
    return ModelLoad(model, **usual)


def load_of(*models):
    return Load("http://service:8083", 2, 7500, 16, 99.6, 41, 1000, 10**12, models)


def test_the_load_has_a_line_a_model(capsys):
    idle = dict.fromkeys(("p50_seconds", "p99_seconds", "queue_seconds", "bytes"))
    rates = {"requests_per_second": 0.0, "errors_per_second": 0.0}
    print_load(load_of(model_load(), model_load("idle", engine="", **idle, **rates)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "http://service:8083"
    assert lines[1] == (
        "up 2h 5m  workers 16  in progress 1000  cores 100%  memory 41%  models 1TB"
    )
    assert lines[3].split() == [
        *("mnist", "12346", "0.42ms", "12.3ms", "1.5s", "0.25", "1.3MB"),
        "onnxruntime/CUDA",
    ]
    assert lines[4].split() == ["idle", "0", "0"]


def test_the_load_fits_into_80_columns_and_shortens_names_alone():
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    long = model_load("m" * 128, requests_per_second=1e5, engine="tensorflow/GPU:0")
    console.print(load_table(load_of(long)))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[3].startswith("mmmm")
    for cell in ("100000", "0.42ms", "12.3ms", "1.5s", "0.25", "1.3MB", "tensorflow"):
        assert cell in lines[3]


def test_no_models_are_a_sentence(capsys):
    print_load(load_of())
    assert capsys.readouterr().out.splitlines()[2] == "there are no models"


def test_a_foreign_name_moves_no_cursor(capsys):
    print_load(load_of(model_load("a\x1b[2J")))
    assert "\x1b" not in capsys.readouterr().out
