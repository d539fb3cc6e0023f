"""Scores are written with the numbers that the engine gave, in each form alike."""

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runtime.admin.errors import AdminError
from runtime.errors import BackendError
from runtime.scoring.chunks import Kept, Scored
from runtime.scoring.columns import Columns, columns_of
from runtime.scoring.forms import CsvForm, JsonForm, form_of
from runtime.scoring.parquet_form import ParquetForm
from tests.runtime.scoring.makers import LINEAR, facts_with

KEPT = (Kept("id", "int"), Kept("note", "text"))
SCORES = np.array([[0.1, 1e-9, 0.9], [0.3, 0.3, 0.3]], np.float32)
SCORED = Scored(
    ['a,"b".png', "\N{SNOWMAN}\n.png"], ([7, None], ["x", None]), SCORES, []
)
COLUMNS = columns_of(LINEAR, ("id", "note"), 3)


def best(columns, numbers):
    (*_, labels) = columns.texts(Scored([], (), None, []), numbers)
    return labels


def written(form, scored=SCORED, columns=COLUMNS):
    numbers = columns.numbers(scored.scores)
    return form.head(columns, numbers) + form.rows(columns, scored, numbers)


def test_csv_has_a_header_and_a_line_for_each_item():
    text = written(CsvForm()).decode()
    assert text.startswith("item,id,note,label,zero,one,two\n")
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert rows == [
        ['a,"b".png', "7", "x", "two", "0.1", "1e-9", "0.9"],
        ["\N{SNOWMAN}\n.png", "", "", "zero", "0.3", "0.3", "0.3"],
    ]
    # Python's own writer quotes the same.
    again = io.StringIO()
    csv.writer(again, lineterminator="\n").writerows(csv.reader(io.StringIO(text)))
    assert again.getvalue() == text


def test_json_has_an_object_in_each_line():
    first, second = written(JsonForm()).decode().splitlines()
    assert json.loads(first) == {
        **{"item": 'a,"b".png', "id": 7, "note": "x", "label": "two"},
        **{"zero": 0.1, "one": 1e-9, "two": 0.9},
    }
    assert json.loads(second)["note"] is None


def test_parquet_has_the_types_of_the_numbers(tmp_path):
    form = ParquetForm(KEPT)
    numbers = COLUMNS.numbers(SCORES)
    rows = form.rows(COLUMNS, SCORED, numbers)
    (tmp_path / "rows").write_bytes(form.head(COLUMNS, numbers) + rows + rows)
    table = pq.read_table(form.finish(tmp_path / "rows", tmp_path / "made"))
    assert table.schema == pa.schema(
        [
            *(("item", pa.string()), ("id", pa.int64()), ("note", pa.string())),
            ("label", pa.string()),
            *((name, pa.float32()) for name in ("zero", "one", "two")),
        ]
    )
    assert table["id"].to_pylist() == [7, None, 7, None]
    assert table["label"].to_pylist() == ["two", "zero"] * 2
    assert np.array_equal(table["one"].to_numpy(), np.tile(SCORES[:, 1], 2))


def test_parquet_has_row_groups_of_one_size(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.scoring.parquet_form._GROUP", 4)
    form = ParquetForm(())
    columns = columns_of(LINEAR, (), 3)
    spool = form.head(columns, SCORES)
    for count in (1, 2, 2, 2, 2):
        scored = Scored([str(n) for n in range(count)], (), SCORES[:count], [])
        spool += form.rows(columns, scored, SCORES[:count])
    (tmp_path / "rows").write_bytes(spool)
    file = pq.ParquetFile(form.finish(tmp_path / "rows", tmp_path / "made"))
    groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert groups == [4, 4, 1]


def test_one_score_of_two_classes_stands_for_both():
    columns = columns_of(facts_with(labels=("cat", "dog")), (), 1)
    numbers = columns.numbers(np.array([[0.25], [0.75]], np.float32))
    assert numbers.tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert best(columns, numbers) == ["cat", "dog"]
    assert columns.names == ("cat", "dog")


def test_a_model_of_one_value_has_no_label():
    columns = columns_of(facts_with(labels=()), (), 1)
    assert columns == Columns(("item",), (), ("value",), False)
    scored = Scored(["0", "1"], (), np.array([[1.5], [-2]], np.float64), [])
    assert written(CsvForm(), scored, columns) == b"item,value\n0,1.5\n1,-2.0\n"
    assert written(JsonForm(), scored, columns).startswith(
        b'{"item":"0","value":1.5}\n'
    )


def test_classes_without_names_have_their_numbers():
    columns = columns_of(facts_with(labels=()), (), 3)
    assert (columns.labels, columns.names) == (("0", "1", "2"), ("0", "1", "2"))
    assert best(columns, np.array([[True, True, False]])) == ["0"]
    assert columns.numbers(np.array([[True, False, True]])).tolist() == [[1, 0, 1]]


def test_a_class_without_a_label_is_never_the_best():
    facts = facts_with(labels=("a", "b"), may_lack=True)
    columns = columns_of(facts, (), 3)
    assert columns.names == ("a", "b", "2")
    assert best(columns, np.array([[0.1, 0.2, 0.7]])) == ["b"]
    for lacking in (facts_with(labels=("a", "b")), facts_with(labels=tuple("abcd"))):
        with pytest.raises(BackendError, match="answered 3 scores and has . labels"):
            columns_of(lacking, (), 3)


def test_no_two_columns_have_the_same_name():
    facts = facts_with(labels=("item", "label", "item"))
    columns = columns_of(facts, ("item", "label", "item_2"), 3)
    assert columns.before == ("item", "item_2", "label", "item_2_2", "label_2")
    assert columns.names == ("item_3", "label_3", "item_4")
    assert columns.labels == ("item", "label", "item")
    assert columns_of(facts_with(labels=()), ("value",), 1).names == ("value_2",)


def test_the_ending_tells_the_form(tmp_path, monkeypatch):
    for name, form in (("s.CSV", CsvForm), ("s.jsonl", JsonForm),
                       ("s.parquet", ParquetForm)):  # fmt: skip
        assert type(form_of(tmp_path / name, ())) is form
    for name in ("s", "s.json", "s.csv.gz"):
        with pytest.raises(AdminError, match=r"end it with .csv, .jsonl or .parquet"):
            form_of(tmp_path / name, ())
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(AdminError, match=r"pip install 'tfaas-onnx\[data\]'"):
        form_of(tmp_path / "s.parquet", ())
