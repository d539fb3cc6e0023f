"""The command writes the tables of a made-up zoo."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tools.zoo.cells import HEADINGS, aligned, cells
from tools.zoo.counts import Counts, counts
from tools.zoo.page import TITLES, page
from tools.zoo.record import Family, measured, read, write
from tools.zoo.row import BROKEN, CRASHED, PROVED, REFUSED, WRONG, Attempt, Row

ROOT = Path(__file__).parents[2]
FAST = Attempt(PROVED, "", 1.25e-7, 3.0, 0.5, 2_500_000)
EQUAL = Attempt(PROVED, "", 2e-7)
ROWS = [
    Row("keras.layers.Dense", "", FAST, EQUAL),
    Row("keras.layers.Dense bias", "", FAST, Attempt(WRONG, "it answers 7")),
    Row("keras.layers.GELU", "", FAST, Attempt(BROKEN, "Erfc is not registered")),
    Row(
        "keras.layers.Hash",
        "strings",
        Attempt(REFUSED, "ONNX has no strings | as hashes"),
        Attempt(REFUSED, "no"),
    ),
    Row(
        "keras.layers.Wrong", "", Attempt(WRONG, "off by 3", 3.0, 1.0, 2.0, 900), EQUAL
    ),
    Row("keras.layers.Dead", "", Attempt(CRASHED, "SIGSEGV"), Attempt(CRASHED, "x")),
    Row("keras.layers.Lost", "", Attempt(REFUSED, "no Foo\nin it"), EQUAL),
    Row("keras.layers.Found", "random", FAST, EQUAL),
]
FAMILY = Family(
    ROWS, "2026-01-02T03:04+00:00", "A Processor, 3 cores", {"keras": "9.8"}
)


def test_counts():
    assert counts(ROWS) == Counts(
        names=7,  # The layer Dense has two models.
        models=8,
        proved=3,
        refused=1,
        unsolved=4,
        equal=4,
        wrong=1,
        broken=2,
        refuses=1,
    )


def test_a_model_is_refused_with_its_own_sentence_only():
    refused = Attempt(REFUSED, "out of memory")
    assert not Row("keras.layers.Hash", "strings", refused, EQUAL).is_as_it_should_be


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ROWS[0], "yes passed 1.2e-07 3.000 0.500 6.0 x 2.5 MB equal"),
        (ROWS[2], "yes passed 1.2e-07 3.000 0.500 6.0 x 2.5 MB broken"),
        (ROWS[3], "refused - - - - - - refuses"),
        (ROWS[4], "yes FAILED 3.0e+00 1.000 2.000 0.5 x 0.9 kB equal"),
        (ROWS[5], "crashed - - - - - - broken"),
    ],
)
def test_cells(row, expected):
    name, *others = cells(row)
    assert name == row.name
    assert " ".join(others) == expected


def test_lines_of_a_terminal_stand_below_each_other():
    lines = [aligned(HEADINGS), *(aligned(cells(row)) for row in ROWS)]
    assert len({len(line) for line in lines}) == 1


def tables(text):
    """Return the cells of each table, line by line."""
    blocks = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            blocks[-1].append([cell.strip() for cell in line[1:-1].split(" | ")])
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def test_the_page_has_the_counts_first_then_each_family_then_the_machine():
    other = Family(
        [ROWS[0]], "2026-02-03T04:05+00:00", "Another, 1 cores", {"keras": "9"}
    )
    text = page({"layers": FAMILY, "networks": other})
    first, layers, networks, machine = tables(text)
    assert first[2] == ["keras.layers", "7", "8", "3", "1", "4", "4", "1", "2", "1"]
    assert first[3][:3] == ["Models as people build them", "1", "1"]
    assert first[4] == ["all", "7", "9", "4", "1", "4", "5", "1", "2", "1"]
    assert [line[0] for line in layers[2:]] == [f"`{row.name}`" for row in ROWS]
    assert len(networks) == 3
    assert machine[2] == [
        "keras.layers",
        "2026-01-02T03:04+00:00",
        "A Processor, 3 cores",
        "keras 9.8",
    ]
    for block in (first, layers, networks, machine):
        assert len({len(line) for line in block}) == 1


def test_the_page_names_what_is_not_solved_and_what_is_refused():
    text = page({"layers": FAMILY})
    unsolved, refused = text.split("Not solved:")[1].split("Refused:")
    assert "- `keras.layers.Wrong`: off by 3\n" in unsolved
    assert "- `keras.layers.Dead`: SIGSEGV\n" in unsolved
    assert "- `keras.layers.Lost`: no Foo in it\n" in unsolved
    assert "- `keras.layers.Found`: converts, and was to be refused: random" in unsolved
    assert "- `keras.layers.Hash`: ONNX has no strings" in refused


def test_a_family_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "zoo.json"
    assert read(path) == {}
    write(path, {"layers": FAMILY})
    assert read(path) == {"layers": FAMILY}


def test_what_is_measured_bears_the_machine_and_the_versions():
    family = measured(ROWS)
    assert family.machine.endswith(" cores")
    assert set(family.versions) >= {"python", "tensorflow", "keras", "tf2onnx"}


def zoo(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tools.zoo", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_tables_are_written_again_of_what_was_measured(tmp_path):
    write(tmp_path / "zoo.json", {"networks": FAMILY, "layers": FAMILY})
    done = zoo("--tables", "--docs", str(tmp_path))
    assert done.returncode == 0
    assert (tmp_path / "zoo.md").read_text() == page(
        {"layers": FAMILY, "networks": FAMILY}
    )
    assert list(json.loads((tmp_path / "zoo.json").read_bytes())) == [
        "layers",
        "networks",
    ]
    with Image.open(tmp_path / "zoo.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1 << 16)) > 3


@pytest.mark.slow
def test_one_model_is_measured_and_the_others_keep_their_rows(tmp_path):
    kept = Row("keras.layers.Dense", "", FAST, EQUAL)
    gone = Row("keras.layers.NoLongerExported", "", FAST, EQUAL)
    family = Family([kept, gone], "", "", {})
    write(tmp_path / "zoo.json", {"layers": family, "networks": FAMILY})
    done = zoo("keras.layers.ReLU", "--docs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    families = read(tmp_path / "zoo.json")
    assert families["networks"] == FAMILY
    rows = {row.name: row for row in families["layers"].rows}
    assert gone.name not in rows
    assert rows[kept.name] == kept
    relu = rows["keras.layers.ReLU"]
    assert relu.ours.verdict == relu.alone.verdict == PROVED
    assert relu.ours.max_abs_diff == 0.0
    assert aligned(cells(relu)) in done.stdout


@pytest.mark.slow
def test_a_model_that_the_zoo_has_not_is_named(tmp_path):
    done = zoo("keras.applications.ResNet9000", "--docs", str(tmp_path))
    assert done.returncode == 2
    assert "the zoo has no 'keras.applications.ResNet9000'" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.tensorflow
def test_the_families_are_the_zoo_s():
    from tests.zoo.specimen import FAMILIES

    assert tuple(TITLES) == FAMILIES
