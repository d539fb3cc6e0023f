"""Rows of a Parquet file are read by row groups, and cut at the same places."""

import decimal
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Kept, Scored
from runtime.scoring.columns import columns_of
from runtime.scoring.parquet_file import ParquetFile
from runtime.scoring.parquet_form import ParquetForm
from tests.runtime.scoring.makers import LINEAR, rows_of


def written(path, group=None, **columns):
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


def test_numbers_and_texts_are_read_with_what_is_missing(tmp_path):
    path = written(
        tmp_path / "r.parquet",
        whole=pa.array([1, None, 3]),
        half=pa.array([0.5, 1.5, None], pa.float32()),
        flag=pa.array([True, False, None]),
        money=pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("2.50")]),
        text=pa.array(["mu", None, "e"]),
        code=pa.array(["x", "y", "x"]).dictionary_encode(),
        id=pa.array([7, 8, None]),
        when=pa.array([0, 1, None], pa.date32()),
    )
    features = ("whole", "half", "flag", "money", "text", "code")
    source = ParquetFile(path, rows_of(*features), ("id", "when", "half"))
    assert source.kept == (
        Kept("id", "int"),
        Kept("when", "text"),
        Kept("half", "single"),
    )
    (chunk,) = source.chunks(10, 0)
    columns = chunk.content.columns
    assert list(columns) == list(features)
    nan = np.nan
    for name, values in {
        "whole": [1, nan, 3],
        "half": [0.5, 1.5, nan],
        "flag": [1, 0, nan],
        "money": [1.25, nan, 2.5],
    }.items():
        assert np.array_equal(columns[name], values, equal_nan=True), name
    assert columns["text"] == ["mu", None, "e"]
    assert columns["code"] == ["x", "y", "x"]
    assert chunk.kept == (
        [7, 8, None],
        ["1970-01-01", "1970-01-02", None],
        [0.5, 1.5, None],
    )


def test_a_column_that_is_kept_keeps_its_values(tmp_path):
    columns = {
        "single": (pa.array([0.1, None], pa.float32()), "single", [0.1, None]),
        "small": (pa.array(np.array([0.5, 2], np.float16)), "single", [0.5, 2.0]),
        "double": (pa.array([0.1, None]), "float", [0.1, None]),
        "flag": (pa.array([True, None]), "bool", [True, None]),
        "byte": (pa.array([200, None], pa.uint8()), "int", [200, None]),
        "huge": (
            pa.array([2**64 - 1, None], pa.uint64()),
            "text",
            [str(2**64 - 1), None],
        ),
    }
    path = written(
        tmp_path / "r.parquet",
        a=pa.array([1.0, 2.0]),
        **{name: array for name, (array, _, _) in columns.items()},
    )
    source = ParquetFile(path, rows_of("a"), tuple(columns))
    assert [kept.kind for kept in source.kept] == [
        kind for _, kind, _ in columns.values()
    ]
    (chunk,) = source.chunks(10, 0)
    assert list(chunk.kept) == [values for _, _, values in columns.values()]
    form = ParquetForm(source.kept)
    scored = Scored(chunk.items, chunk.kept, np.zeros((2, 3), np.float32), [])
    named = columns_of(LINEAR, tuple(columns), 3)
    rows = form.head(named, scored.scores) + form.rows(named, scored, scored.scores)
    (tmp_path / "rows").write_bytes(rows)
    table = pq.read_table(form.finish(tmp_path / "rows", tmp_path / "made"))
    assert table["single"].equals(pa.chunked_array([columns["single"][0]]))
    assert table["huge"].to_pylist() == [str(2**64 - 1), None]


@pytest.mark.parametrize("done", [0, 2, 3, 5, 8, 9])
def test_the_rest_is_read_from_the_row_that_is_reached(tmp_path, done):
    path = written(tmp_path / "r.parquet", group=5, a=np.arange(10.0))
    source = ParquetFile(path, rows_of("a"), ())
    assert source.total == 10
    chunks = list(source.chunks(3, done))
    assert [item for chunk in chunks for item in chunk.items] == [
        str(n) for n in range(done, 10)
    ]
    values = np.concatenate([chunk.content.columns["a"] for chunk in chunks])
    assert np.array_equal(values, np.arange(done, 10))


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"b": [1.0]}, "r.parquet: the columns 'a' are missing; it has b"),
        ({"a": [[1.0]]}, "the column 'a' holds list<.*>; a model takes numbers and"),
        ({"a": [{"x": 1}]}, "the column 'a' holds struct<x: int64>"),
        ({"a": pa.array([0], pa.timestamp("s"))}, r"the column 'a' holds timestamp"),
        ({"a": pa.array([], pa.float64())}, "r.parquet has no rows"),
    ],
)
def test_a_file_that_cannot_be_scored_is_refused(tmp_path, columns, sentence):
    with pytest.raises(AdminError, match=sentence):
        ParquetFile(written(tmp_path / "r.parquet", **columns), rows_of("a"), ())


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "r.parquet")
    with pytest.raises(AdminError, match="the column 'a' is there twice"):
        ParquetFile(tmp_path / "r.parquet", rows_of("a"), ())


def test_a_file_that_is_damaged_is_refused(tmp_path):
    path = written(tmp_path / "r.parquet", a=np.arange(1000.0))
    whole = path.read_bytes()
    for damaged in (b"", b"no parquet", whole[:-20]):
        path.write_bytes(damaged)
        with pytest.raises(AdminError, match="r.parquet (is|cannot be read).*damaged"):
            ParquetFile(path, rows_of("a"), ())
    # The footer is whole, and the pages are not.
    path.write_bytes(whole[:4] + bytes(len(whole) // 2 - 4) + whole[len(whole) // 2 :])
    source = ParquetFile(path, rows_of("a"), ())
    with pytest.raises(AdminError, match="r.parquet (is|cannot be read).*damaged"):
        list(source.chunks(10, 0))


def test_without_pyarrow_the_package_is_named(tmp_path, monkeypatch):
    path = written(tmp_path / "r.parquet", a=[1.0])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(AdminError, match=r"pip install 'tfaas-onnx\[data\]'"):
        ParquetFile(path, rows_of("a"), ())
