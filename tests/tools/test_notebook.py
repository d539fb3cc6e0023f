"""docs/mnist.ipynb can be shown as it lies there."""

import tempfile
from pathlib import Path

import nbformat
import pytest

from tools.notebook import NOTEBOOK, read


@pytest.fixture(scope="module")
def cells():
    return [cell for cell in read().cells if cell.cell_type == "code"]


def test_the_file_is_as_the_script_writes_it(tmp_path):
    nbformat.write(read(), tmp_path / "again.ipynb")
    assert (tmp_path / "again.ipynb").read_bytes() == NOTEBOOK.read_bytes()


def test_every_cell_has_run_once_in_its_order(cells):
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), (
        "run `make notebook`"
    )


def test_no_cell_failed_or_warned(cells):
    kinds = {out.get("name", out.output_type) for cell in cells for out in cell.outputs}
    assert kinds == {"stdout", "display_data"}


def test_four_pictures_are_shown(cells):
    outputs = [out for cell in cells for out in cell.outputs if "data" in out]
    assert [sorted(out.data) for out in outputs] == [["image/png", "text/plain"]] * 4


def test_the_file_tells_nothing_of_the_machine_that_ran_it():
    text = NOTEBOOK.read_text()
    assert "127.0.0.1" not in text
    for folder in (tempfile.gettempdir(), Path.home(), NOTEBOOK.parents[1]):
        assert f"{folder}/" not in text
    assert set(read().metadata) == {"kernelspec"}, "run `make notebook`"


def test_the_file_is_small():
    assert NOTEBOOK.stat().st_size < 200_000
