"""Rows of a CSV are cut into records here, and split where they are scored."""

import csv

import numpy as np
import pytest

from runtime.admin.errors import AdminError
from runtime.backends import TensorSpec
from runtime.scoring.csv_file import CsvFile, read_header, split
from tests.runtime.scoring.makers import facts_with, rows_of


def opened(path, text, facts, keep=()):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CsvFile(path, read_header(path), facts, keep)


def columns_of(source, size=100, done=0):
    """Split all records; return the columns, what is kept, and the rejected rows."""
    (chunk,) = source.chunks(size, done)
    places, table, kept, rejected = split(chunk.content)
    columns = {name: list(column) for name, column in table.columns.items()}
    return [chunk.items[n] for n in places], columns, kept, rejected


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_are_found_by_their_names(tmp_path, delimiter, end):
    lines = ["b,id,a", '2,"x ""y""",1', "", "4,,3"]
    text = end.join(lines).replace(",", delimiter)
    source = opened(tmp_path / "r.csv", f"\ufeff{text}", rows_of("a", "b"), ("id",))
    assert source.total == 2
    assert columns_of(source) == (
        ["0", "1"],
        {"a": ["1", "3"], "b": ["2", "4"]},
        (['x "y"', ""],),
        {},
    )


def test_spaces_around_a_text_of_the_model_are_left_out(tmp_path):
    specs = [
        TensorSpec(n, np.dtype(k), (None, 1)) for n, k in (("a", "f4"), ("b", "O"))
    ]
    facts = facts_with(inputs=tuple(specs), features=("b", "a"))
    source = opened(tmp_path / "r.csv", "a, b ,c\n 1 , mu , x\n", facts, ("c",))
    _, columns, kept, _ = columns_of(source)
    assert columns == {"b": ["mu"], "a": [" 1 "]}
    assert kept == ([" x"],)


def test_a_quoted_text_may_have_several_lines(tmp_path):
    text = 'a,note\n1,"two\nlines, and a comma"\n2,one\n'
    source = opened(tmp_path / "r.csv", text, rows_of("a"), ("note",))
    assert source.total == 2
    assert columns_of(source)[2] == (["two\nlines, and a comma", "one"],)


def test_a_quote_within_a_value_is_a_part_of_it(tmp_path):
    lines = ['1,5" pipe', "2,a", '3,8" pipe', '4,"x, 9"" and', '5"', '6,""', '7,"b"']
    path = tmp_path / "r.csv"
    source = opened(path, "\n".join(("a,note", *lines)), rows_of("a"), ("note",))
    assert source.total == 6
    _, columns, (notes,), rejected = columns_of(source)
    assert columns == {"a": ["1", "2", "3", "4", "6", "7"]}
    assert notes == ['5" pipe', "a", '8" pipe', 'x, 9" and\n5', "", "b"]
    assert rejected == {}
    # Python's own reader sees the same rows.
    with path.open(newline="") as stream:
        assert [row[1] for row in [*csv.reader(stream)][1:]] == notes


def test_the_rest_is_read_from_the_row_that_is_reached(tmp_path):
    text = "a\n" + "".join(f"{n}\n" for n in range(7))
    source = opened(tmp_path / "r.csv", text, rows_of("a"))
    assert [chunk.items for chunk in source.chunks(3, 0)] == [
        ["0", "1", "2"], ["3", "4", "5"], ["6"],
    ]  # fmt: skip
    assert columns_of(source, done=6)[:2] == (["6"], {"a": ["6"]})


def test_a_model_without_features_takes_all_other_columns(tmp_path):
    source = opened(tmp_path / "r.csv", "z,id,a\n1,x,2\n", rows_of(width=2), ("id",))
    assert columns_of(source)[1] == {"z": ["1"], "a": ["2"]}


def test_a_row_that_is_no_row_is_rejected(tmp_path):
    text = b'a,b\n1,2\n3\n4,5,6\n\xff,1\n"x"y"\n7,8\n9,'
    source = opened(tmp_path / "r.csv", text, rows_of("a", "b"))
    items, columns, _, rejected = columns_of(source)
    assert items == ["0", "5", "6"]
    assert columns == {"a": ["1", "7", "9"], "b": ["2", "8", ""]}
    assert rejected == {
        1: "the row has 1 values, and the header has 2",
        2: "the row has 3 values, and the header has 2",
        3: "the row is no CSV in UTF-8",
        4: "the row is no CSV in UTF-8",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "r.csv is empty: it has no names of columns"),
        (",,\n1,2,3\n", "r.csv is empty: it has no names of columns"),
        (b"\xff\xfe", "r.csv is no CSV in UTF-8"),
        ("a,b,id\n", "r.csv has a header and no rows"),
        ("a,c\n1,2\n", r"r.csv: the columns 'b', 'id' are missing; it has a, c"),
        ("a,b,b,id\n1,2,3,4\n", "r.csv: the column 'b' is there twice"),
        (
            'a,b,id\n1,2,"x\n1,2,y\n',
            "r.csv: the quoted text in line 2 has no end; the file is cut short",
        ),
        ("a,b,id\n" + "1" * (1 << 21), "the row that begins in line 2 is longer than"),
        (
            'a,b,id\n"' + "1\n" * (1 << 19),
            "the row that begins in line 2 is longer than",
        ),
    ],
)
def test_a_file_that_cannot_be_scored_is_refused(tmp_path, text, sentence):
    with pytest.raises(AdminError, match=sentence):
        opened(tmp_path / "r.csv", text, rows_of("a", "b"), ("id",))


def test_too_many_columns_are_refused_with_advice(tmp_path):
    with pytest.raises(AdminError, match="3 values and the model takes 2; .* --keep"):
        opened(tmp_path / "r.csv", "a,b,c\n1,2,3\n", rows_of(width=2))
    with pytest.raises(AdminError, match="the column 'a' is there twice"):
        opened(tmp_path / "r.csv", "a,a\n1,2\n", rows_of(width=2))
