"""The label, the weights, the features and the parts of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.trainer.tables.examples import (
    Table,
    events,
    numbers,
    write_csv,
    write_npz,
    write_parquet,
)
from trainer.errors import DataError
from trainer.tables.dataset import TableSet, load_table
from trainer.tables.wishes import Wishes

NAN = np.nan


def load(folder: Path, table: Table, **wishes: object) -> TableSet:
    asked = {"label": "signal", **wishes}
    return load_table(write_csv(folder / "t.csv", table), Wishes(**asked))  # type: ignore[arg-type]


def refusal(folder: Path, table: Table, **wishes: object) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, table, **wishes)
    return str(caught.value)


def note(data: TableSet, words: str) -> str:
    (found,) = [one for one in data.notes if words in one]
    return found


def table_of(label: list[object], **columns: list[object]) -> Table:
    table = {"a": np.arange(len(label)) * 0.5}
    table |= {name: np.array(values, object) for name, values in columns.items()}
    return {**table, "signal": np.array(label, object)}


@pytest.mark.parametrize(
    ("label", "task", "labels"),
    [
        (["b", "a"] * 10, "classes", ("a", "b")),
        ([10, 9, 2] * 7, "classes", ("2", "9", "10")),
        ([-1, 1] * 10, "classes", ("-1", "1")),
        (["10", "9", "x"] * 7, "classes", None),
        ([0.5, 1.5, 2] * 7, "regression", ()),
        (list(range(42)), "regression", ()),
    ],
)
def test_the_label_tells_the_task(
    label: list[object], task: str, labels: tuple[str, ...] | None, tmp_path: Path
) -> None:
    if labels is None:
        assert "mixes numbers and texts" in refusal(tmp_path, table_of(label))
        data = load(tmp_path, table_of(label), categorical=("signal",))
        labels = ("10", "9", "x")
    else:
        data = load(tmp_path, table_of(label))
    assert (data.task, data.labels) == (task, labels)
    assert data.y_train.dtype == (np.int64 if task == "classes" else np.float32)
    word = "classes" if task == "classes" else "a regression"
    assert word in note(data, "(--task)")


def test_a_person_may_choose_the_task(tmp_path: Path) -> None:
    data = load(tmp_path, table_of([0, 1, 2, 3] * 5), task="regression")
    assert data.labels == ()
    assert sorted(np.concatenate([data.y_train, data.y_test])) == sorted(
        [0, 1, 2, 3] * 5
    )
    scale, mean = data.label_scale
    assert (scale, mean) == (data.y_train.std(), pytest.approx(data.y_train.mean()))
    text = refusal(tmp_path, table_of(["x", "y"] * 5), task="regression")
    assert "are texts; --task regression needs numbers" in text


def test_a_bool_is_two_classes(tmp_path: Path) -> None:
    table = {"a": np.arange(8.0), "signal": np.arange(8) % 2 == 0}
    data = load_table(write_parquet(tmp_path / "t.parquet", table), Wishes("signal"))
    assert data.labels == ("false", "true")


def test_bools_may_be_missing(tmp_path: Path) -> None:
    flags = [True, None, False, False] * 20
    label = [None, *[False, True] * 39, True]
    table = {"flag": flags, "signal": label}
    parquet.write_table(pa.table(table), tmp_path / "t.parquet")
    data = load_table(tmp_path / "t.parquet", Wishes("signal"))
    assert data.labels == ("false", "true")
    assert note(data, "skipped") == "1 row without a label or a weight was skipped"
    found = np.concatenate([data.x_train["row"], data.x_test["row"]])
    assert (found == 1).sum() == 19
    assert np.isnan(found).sum() == 20


def test_labels_whose_squares_float32_cannot_hold_are_refused(tmp_path: Path) -> None:
    label = [n + 0.5 for n in range(40)]
    for unit, shown in ((1e20, "e+21"), (1e-20, "e-19")):
        text = refusal(tmp_path, table_of([unit * n for n in label]), task="regression")
        assert f"{shown}, whose square float32 cannot hold; give the labels" in text
    # float32 rounds these to one number.
    text = refusal(tmp_path, table_of([1e9 + n / 10 for n in label]), task="regression")
    assert "are all equal; there is nothing to predict" in text


def test_the_label_has_a_usual_name_if_none_is_given(tmp_path: Path) -> None:
    table = table_of([0, 1] * 5)
    table["Target"] = table.pop("signal")
    assert load(tmp_path, table, label=None).label == "Target"
    table["class"] = table["Target"]
    text = refusal(tmp_path, table, label=None)
    assert "name the column to predict with --label; there are a, Target, class" in text


def test_a_fifth_of_each_class_is_held_out_by_the_seed(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", table_of([0] * 40 + [1] * 10))
    one, same, other = (load_table(path, Wishes("signal"), n) for n in (1, 1, 2))
    assert np.bincount(one.y_test).tolist() == [8, 2]
    np.testing.assert_array_equal(one.x_test["row"], same.x_test["row"])
    assert not np.array_equal(one.x_test["row"], other.x_test["row"])


def test_features_are_chosen_in_an_order(tmp_path: Path) -> None:
    table = numbers(events())
    data = load(tmp_path, table, features=("eta", "pt"))
    assert data.features == ("eta", "pt")
    rows = set(map(tuple, data.x_train["row"].tolist()))
    assert rows < set(zip(table["eta"].tolist(), table["pt"].tolist(), strict=True))


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"features": ("x",)}, "has no column 'x', which --features names"),
        ({"weight": "x"}, "has no column 'x', which --weight names"),
        ({"features": ("signal",)}, "'signal', which is the label or the weight"),
        ({"features": ("pt", "pt")}, "name a column twice"),
        ({"weight": "signal"}, "name a column twice"),
        ({"categorical": ("x",)}, "--categorical names 'x', which is no feature"),
        ({"weight": "channel"}, "the weights in 'channel' are texts"),
    ],
)
def test_columns_that_are_not_there_are_refused(
    wishes: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    assert sentence in refusal(tmp_path, events(), **wishes)


def test_missing_values_stay_missing(tmp_path: Path) -> None:
    table = events()
    table["pt"][3], table["channel"][4] = NAN, ""
    data = load(tmp_path, table)
    pt = np.concatenate([data.x_train["pt"], data.x_test["pt"]])
    channel = np.concatenate([data.x_train["channel"], data.x_test["channel"]])
    assert np.isnan(pt).sum() == 1
    assert (channel == "").sum() == 1


def test_words_for_a_missing_number_are_missing(tmp_path: Path) -> None:
    data = load(tmp_path, table_of([0, 1] * 20, b=["NA", 1, "null", 2.5] * 10))
    assert np.isnan(data.x_train["row"][:, 1]).any()


def test_rows_without_a_label_or_weight_are_skipped_up_to_a_twentieth(
    tmp_path: Path,
) -> None:
    table = table_of([0, 1] * 19 + ["", 1], w=[1.0] * 38 + [1.0, ""])
    data = load(tmp_path, table, weight="w")
    assert len(data.y_train) + len(data.y_test) == 38
    assert note(data, "skipped") == "2 rows without a label or a weight were skipped"
    table["w"][0] = ""
    text = refusal(tmp_path, table, weight="w")
    assert "3 of 40 rows have no label or no weight, the first of them row 1" in text


def test_negative_weights_measure_and_do_not_train(tmp_path: Path) -> None:
    table = events(100)
    table["w"] = np.where(np.arange(100) % 5 == 0, -2.0, 4.0)
    data = load(tmp_path, table, weight="w")
    assert data.w_train is not None
    assert data.w_test is not None
    assert data.w_train.min() == 0
    assert data.w_test.min() < 0
    np.testing.assert_allclose([data.w_train.mean(), data.w_test.mean()], 1, rtol=1e-5)
    # -2 to 4 stays so in the measures.
    assert data.w_test.min() / data.w_test.max() == pytest.approx(-0.5)
    negative = int((data.w_train == 0).sum())
    assert note(data, "negative weight").startswith(
        f"{negative} training rows have a negative"
    )
    assert data.features == ("pt", "eta", "channel")
    table["w"] = np.full(100, -1.0)
    text = refusal(tmp_path, table, weight="w")
    assert "the weights in 'w' are above 0 in no training row" in text
    table["w"] = np.where(np.arange(100) % 5 == 0, 1.0, -9.0)
    text = refusal(tmp_path, table, weight="w")
    assert "the weights in 'w' sum up to -" in text
    assert "in the test rows, and must sum up to more than 0" in text


def test_a_text_that_names_the_rows_is_refused(tmp_path: Path) -> None:
    names = [f"event {n}" for n in range(60)]
    text = refusal(tmp_path, table_of([0, 1] * 30, id=names))
    assert "the column 'id' has 48 different texts in 48 rows, so it names" in text
    data = load(tmp_path, table_of([0, 1] * 30, id=names), features=("a",))
    assert data.features == ("a",)


def test_hints_tell_of_copies_row_numbers_constants_and_rounding(
    tmp_path: Path,
) -> None:
    table = table_of(
        ["s", "b"] * 15,
        copy=["yes", "no"] * 15,
        number=list(range(30)),
        same=[1] * 30,
        big=[2**24 + 1, 5] * 15,
        lack=[-999, 5, 6] * 10,
    )
    data = load(tmp_path, table)
    assert "the column 'copy' tells the label 'signal' exactly" in note(data, "'copy'")
    assert "grows by 1 from row to row" in note(data, "'number'")
    assert "has one value in all training rows" in note(data, "'same'")
    assert "whole numbers beyond 2**24" in note(data, "beyond")
    assert "has -999; if that stands for a missing" in note(data, "-999")


def test_a_copy_of_a_regression_label_is_told(tmp_path: Path) -> None:
    label = [n + 0.25 for n in range(30)]
    data = load(tmp_path, table_of(list(label), copy=list(label)))
    assert note(data, "'copy'").startswith("warning: the column 'copy' tells the label")


def test_names_that_no_input_may_have_are_told(tmp_path: Path) -> None:
    table = events()
    table = {"pt [GeV]": table.pop("pt"), "class": table.pop("eta"), **table}
    data = load(tmp_path, table)
    assert data.features == ("pt__GeV_", "f_class", "channel")
    assert set(data.x_train) == set(data.features)
    assert note(data, "[GeV]") == (
        "the column 'pt [GeV]' is named 'pt__GeV_' in requests"
    )
    table["row"] = table.pop("f_class", events()["pt"])
    assert "f_row" in load(tmp_path, table).features
    # One input takes the names as they are.
    assert load(tmp_path, numbers(table)).features == ("pt [GeV]", "class", "row")


def test_validation_files_join_the_training_or_are_tested_on(tmp_path: Path) -> None:
    write_npz(tmp_path / "train.npz", events(20, 1))
    write_npz(tmp_path / "valid.npz", events(10, 2))
    data = load_table(tmp_path, Wishes("signal"))
    assert len(data.y_test) == 10
    assert note(data, "validation rows") == (
        "there are no test rows: the validation rows are tested on"
    )
    write_npz(tmp_path / "test.npz", events(8, 3))
    data = load_table(tmp_path, Wishes("signal"))
    assert (len(data.y_train), len(data.y_test)) == (30, 8)


def test_a_test_class_that_training_does_not_know_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", table_of(["a", "b"] * 5))
    write_csv(tmp_path / "test.csv", table_of(["a", "c"] * 5))
    with pytest.raises(DataError, match="have 'c', which is no class of the training"):
        load_table(tmp_path, Wishes("signal"))


def test_feedback_joins_the_training_part_alone(tmp_path: Path) -> None:
    table = {"pt [GeV]": events()["pt"], **events()}
    path = write_csv(tmp_path / "t.csv", {**table, "w": np.full(40, 3.0)})
    wishes = Wishes("signal", "w")
    before = load_table(path, wishes)
    (tmp_path / "fed").mkdir()
    rows = "pt__GeV_,pt,eta,channel,label\n1.5,1.5,,mu,1\n2.5,2,0.5,,0\n"
    (tmp_path / "fed/rows.csv").write_text(rows)
    data = load_table(path, wishes, also=(tmp_path / "fed",))
    assert len(data.y_train) == len(before.y_train) + 2
    assert data.y_train[-2:].tolist() == [1, 0]
    assert data.x_train["channel"][-2:].ravel().tolist() == ["mu", ""]
    assert np.isnan(data.x_train["eta"][-2, 0])
    assert data.w_train is not None
    assert data.w_train[-2:].tolist() == [1, 1]
    np.testing.assert_array_equal(data.y_test, before.y_test)
    assert data.columns == before.columns
    assert "2 rows of fed are trained on, too" in data.notes
    (tmp_path / "fed/rows.csv").write_text(rows.replace("mu,1", "mu,7"))
    with pytest.raises(DataError, match="have '7', which is no class of the training"):
        load_table(path, wishes, also=(tmp_path / "fed",))


def test_a_single_row_of_feedback_joins_a_regression(tmp_path: Path) -> None:
    table = {**numbers(events()), "energy": np.linspace(0.5, 9, 40)}
    path = write_csv(tmp_path / "t.csv", table)
    (tmp_path / "rows.csv").write_text("pt,eta,signal,label\n1,2,0,3.25\n")
    data = load_table(path, Wishes("energy"), also=(tmp_path / "rows.csv",))
    assert data.y_train[-1] == 3.25


def test_numbers_of_another_table_may_be_texts_that_the_first_one_has(
    tmp_path: Path,
) -> None:
    table = table_of([0, 1] * 20, region=["7", "B1"] * 20)
    path = write_csv(tmp_path / "t.csv", table)
    wishes = Wishes("signal", categorical=("region",))
    more = tmp_path / "rows.csv"
    more.write_text("a,region,label\n1,7,0\n2,,1\n")
    data = load_table(path, wishes, also=(more,))
    assert data.x_train["region"][-2:, 0].tolist() == ["7", ""]
    more.write_text("a,region,label\n1,8,0\n")
    with pytest.raises(DataError, match="'region' holds numbers, and in the first"):
        load_table(path, wishes, also=(more,))


def test_test_rows_of_another_table_are_not_trained_on(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", events())
    before = load_table(path, Wishes("signal"))
    (tmp_path / "more").mkdir()
    write_csv(tmp_path / "more/train.csv", events(20, 1))
    write_csv(tmp_path / "more/test.csv", events(10, 2))
    data = load_table(path, Wishes("signal"), also=(tmp_path / "more",))
    assert len(data.y_train) == len(before.y_train) + 20
    np.testing.assert_array_equal(data.x_train["pt"][-20:, 0], events(20, 1)["pt"])
    assert "more: its test rows are not used" in data.notes


def test_categories_are_those_of_two_rows_or_more(tmp_path: Path) -> None:
    label: list[object] = [0, 1] * 25
    runs: list[object] = [3, 7] * 24 + [9, 11]
    table = table_of(label, run=runs)
    data = load(tmp_path, table, categorical=("run",))
    (column,) = [c for c in data.columns if c.name == "run"]
    assert column.categories == (3.0, 7.0)
    many = table_of(list(range(2)) * 2500, run=list(range(5000)))
    text = refusal(tmp_path, many, categorical=("run",))
    assert "has 4000 different numbers, too many for --categorical" in text
