"""The cells of docs/mnist.ipynb run, and the outputs that lie in it are theirs."""

import os
import re

import psutil
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell

from tools.notebook import executed, read


@pytest.fixture(scope="module")
def mark():
    """Return a variable that all processes of this module's notebooks inherit."""
    name = f"NOTEBOOK_OF_{os.getpid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, "1")
        yield name


@pytest.fixture(scope="module")
def run(mark):
    return executed(read())


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(cell):
    """Return what a cell printed and drew, without numbers and the space around them.

    A network that another processor trains has other weights, and so other numbers. The
    exporter quotes the kind of inputs with the largest difference, which changes, too.
    """
    printed = "".join(out.text for out in cell.outputs if out.output_type == "stream")
    drawn = [sorted(out.data) for out in cell.outputs if "data" in out]
    return re.sub(r"\d[\d.,]*(?:e[+-]\d+)?|'\w+'", "#", printed).split(), drawn


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def output_of(notebook, name):
    outputs = cell_of(notebook, name).outputs
    return "".join(out.text for out in outputs if out.output_type == "stream")


def left(mark):
    """Return the processes of notebooks that do not end by themselves."""
    marked = [
        process
        for process in psutil.process_iter(["environ"])
        if mark in (process.info["environ"] or ())
    ]
    return psutil.wait_procs(marked, timeout=60)[1]


def test_the_outputs_in_the_file_are_those_of_its_cells(run):
    kept, made = code(read()), code(run)
    assert [words(cell) for cell in kept] == [words(cell) for cell in made], (
        "run `make notebook`"
    )


def test_the_model_reads_nearly_all_digits(run):
    right, of = re.match(
        r"(\d+) of (\d+) pictures", output_of(run, "look-at-mistakes")
    ).groups()
    # A linear classifier of MNIST reaches 0.88 (LeCun and others, 1998).
    assert int(right) / int(of) > 0.88


def test_both_engines_answered_and_agreed(run):
    compared = output_of(run, "ask-both")
    assert re.findall(r"^(\w+)/\w+: ", compared, re.M) == ["onnxruntime", "tensorflow"]
    assert "same best class: True\n" in compared
    assert float(re.search(r"largest difference: (\S+)", compared)[1]) < 1e-4


def test_no_process_is_left(run, mark):
    assert left(mark) == []


def test_no_process_is_left_after_a_cell_that_failed(mark):
    notebook = read()
    setup, start = (cell_of(notebook, name) for name in ("setup", "start-service"))
    start.source = start.source.partition("published = ")[0]
    notebook.cells = [setup, start, new_code_cell("assert not client.ready()")]
    with pytest.raises(CellExecutionError, match="AssertionError"):
        executed(notebook)
    assert left(mark) == []
