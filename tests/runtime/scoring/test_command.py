"""``runtime score`` as a person types it, on inputs of each kind."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runtime.errors import BackendError
from runtime.scoring.local import LocalEngine
from tests.examples import write_bundle
from tests.mixed import ANSWERS, COLUMNS
from tests.runtime.graphs import total, two_inputs
from tests.runtime.scoring.makers import CSV, GRAYS

DIGITS = np.array([*GRAYS.values()], np.uint8)


def test_each_form_has_the_same_scores(place, pictures, score):
    for ending in ("csv", "jsonl", "parquet"):
        score(f"pictures --model linear --out scores.{ending}")
    _, *rows = [line.split(",") for line in CSV.splitlines()]
    objects = (place / "scores.jsonl").read_text().splitlines()
    table = pq.read_table(place / "scores.parquet").to_pylist()
    for (item, label, *scores), line, row in zip(rows, objects, table, strict=True):
        zero, one, two = map(float, scores)
        expected = {"item": item, "label": label, "zero": zero, "one": one, "two": two}
        assert json.loads(line) == row == expected


def test_arrays_of_pictures_and_rows_have_the_same_scores(place, score):
    scores = [line.partition(",")[2] for line in CSV.splitlines()]
    for array in (DIGITS, DIGITS.reshape(5, 4), DIGITS.astype(np.float64)):
        np.savez(place / "items.npz", x=array, names=np.array(["a"]))
        score("items.npz --model linear --out s.csv --force --batch 2")
        lines = (place / "s.csv").read_text().splitlines()
        assert [line.partition(",")[2] for line in lines] == scores


def test_rows_of_a_csv_are_scored_and_columns_are_kept(place, score):
    (place / "rows.csv").write_text("id,p,q,r,s\nx,1,2,3,4\ny,9,,0,0\nz,9,0,0,0\n")
    done = score("rows.csv --model linear --out s.csv --keep id")
    assert (place / "s.csv").read_text() == (
        "item,id,label,zero,one,two\n0,x,two,1.0,2.0,7.0\n2,z,zero,9.0,0.0,0.0\n"
    )
    assert (place / "s.rejects.csv").read_text() == (
        "item,reason\n1,the value 'q' is missing\n"
    )
    assert "s.csv: 2 items, 1 rejected (s.rejects.csv), " in done.output


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_of_numbers_and_texts_are_scored(place, score, ending):
    table = pa.table(
        {
            "njet": COLUMNS["njet"].ravel(),
            "event": [7, 8, 9, 10],
            "pt": pa.array(COLUMNS["pt"].ravel(), from_pandas=True),
            "part": COLUMNS["part"].ravel().tolist(),
        }
    )
    if ending == "parquet":
        pq.write_table(table, place / "rows.parquet")
    else:
        lines = [",".join(table.column_names)]
        lines += [
            ",".join("" if cell is None else str(cell) for cell in row.values())
            for row in table.to_pylist()
        ]
        (place / "rows.csv").write_text("\n".join(lines))
    score(f"rows.{ending} --model mixed --out s.jsonl --keep event")
    found = [json.loads(line) for line in (place / "s.jsonl").read_text().splitlines()]
    assert [[row["left"], row["right"]] for row in found] == ANSWERS
    events = [7, 8, 9, 10]
    assert [row["event"] for row in found] == (
        events if ending == "parquet" else [str(event) for event in events]
    )


@pytest.mark.usefixtures("mixed")
def test_a_row_of_a_wrong_kind_is_told_by_its_column(place, score):
    (place / "r.csv").write_text("pt,part,njet\n1,mu,1\nx,mu,1\n1,mu,1.5\n1,mu,\n")
    score("r.csv --model mixed --out s.csv")
    assert (place / "s.csv").read_text() == "item,label,left,right\n0,left,21.0,1.0\n"
    _, first, second, third = (place / "s.rejects.csv").read_text().splitlines()
    assert first.startswith("1,\"the value 'pt' is 'x', which is no number")
    assert second.startswith("2,") and "'njet' must hold whole numbers" in second
    assert third.startswith("3,") and "'njet'" in third


def test_a_model_of_one_value_has_a_column_of_values(place, store, score):
    (store.root / "sum" / "1").mkdir(parents=True)
    write_bundle(
        store.root / "sum" / "1",
        name="sum",
        onnx_bytes=total("n", 3),
        params={"labels": "", "img_channels": 0},
    )
    (place / "rows.csv").write_text("a,b,c\n1,2,3\n0.5,0,0\n")
    score("rows.csv --model sum --out s.csv")
    assert (place / "s.csv").read_text() == "item,value\n0,6.0\n1,0.5\n"


def test_a_run_without_any_score_fails_and_tells_the_reasons(place, score):
    (place / "x.png").write_bytes(b"x")
    done = score("x.png --model linear --out s.csv", code=2)
    assert done.output.endswith(
        "none of the 1 items could be scored, and s.csv was not written; s.rejects.csv"
        " tells the reasons\n"
    )
    assert sorted(path.name for path in place.glob("*s.*")) == ["s.rejects.csv"]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("a.npz --model nosuch --out s.csv", "there is no model 'nosuch'"),
        ("a.npz --model linear:7 --out s.csv", "linear"),
        ("a.npz --model linear@canary --out s.csv", "has no label 'canary'"),
        ("a.npz --model ./empty --out s.csv", "params.json"),
        ("a.npz --model a,b --out s.csv", "'a,b' is not NAME, NAME:VERSION or"),
        ("no.npz --model linear --out s.csv", "Path 'no.npz' does not exist"),
        ("empty --model linear --out s.csv", "empty has no pictures"),
        ("a.npz a.npz --model linear --out s.csv", "a.npz must be the only input"),
        ("a.npz --model linear --out s.txt", "end it with .csv, .jsonl or .parquet"),
        ("a.npz --model linear --out no/s.csv", "there is no folder no"),
        ("a.npz --model linear --out s.csv --keep a", "a .npz has none"),
        ("empty --model linear --out s.csv --keep a", "the input is no table"),
        (
            "empty --model linear --out s.csv --key a",
            "--key names an array of a .npz or a tree",
        ),
        ("a.npz --model linear --out s.csv --rejects s.csv", "are the same file"),
        ("a.npz --model linear --out .", "--out . is a folder; name a file"),
        ("a.npz --model linear --out a.npz --force", "--out a.npz is an input"),
        ("s.rejects.csv --model linear --out s.csv", "--rejects s.rejects.csv is an"),
        (
            "a.npz --model linear --out s.csv --resume --force",
            "give --resume or --force, not both",
        ),
        ("a.npz --model linear --out s.csv --cacert x", "--cacert needs --url"),
        ("a.npz --model linear --out s.csv --token-file x", "--token-file needs --url"),
        (
            "a.npz --model linear --out s.csv --url http://x --models-dir models",
            "give --url or --models-dir, not both",
        ),
        (
            "a.npz --model ./empty --out s.csv --url http://x",
            "--url needs a model's name as --model, and no folder",
        ),
        ("a.npz --model linear --out s.csv --url x", "--server"),
        ("a.npz --model linear --out s.csv --batch 0", "0 is not in the range"),
        ("s3:// --model linear --out s.csv", "names no bucket"),
        ("http://x/a.npz --model linear --out s.csv", "is a URL of no object store"),
        ("a.npz --model linear --out s3://b/s.csv", "is a URL, which needs --ray"),
        ("a.npz --model linear --out s.csv --gpus 0.5", "--gpus needs --ray"),
        ("a.npz --model linear --out s.csv --cpus 1", "--cpus needs --ray"),
        ("a.npz --model linear --out s.csv --address h:1", "--address needs --ray"),
        ("a.npz --model linear --out s --ray --url http://x", "give --ray or --url"),
        ("a.npz --model linear --out s3://b --ray", "--out s3://b names a bucket"),
        ("a.npz --model linear --out s.rejects.csv --ray", "is a file; name a folder"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(place, score, command, sentence):
    np.savez(place / "a.npz", x=DIGITS)
    (place / "empty").mkdir()
    (place / "s.rejects.csv").write_text("a,b,c,d\n1,2,3,4\n")
    before = sorted(place.iterdir())
    assert sentence in score(command, code=2).output
    assert sorted(place.iterdir()) == before


def test_a_model_that_takes_another_input_is_refused(place, store, score):
    (store.root / "two" / "1").mkdir(parents=True)
    write_bundle(
        store.root / "two" / "1",
        name="two",
        onnx_bytes=two_inputs(),
        params={"labels": "", "img_channels": 0, "output_node": "sum"},
    )
    np.savez(place / "a.npz", x=DIGITS)
    (place / "r.csv").write_text("a,b\n1,2\n")
    for given, sentence in {
        "a.npz": "takes no single array of numbers: its inputs are a, b",
        "r.csv": "takes no rows: its inputs are a, b",
        "models": "takes no pictures; give it rows in a .csv, .parquet, .root or .npz",
    }.items():
        assert sentence in score(f"{given} --model two --out s.csv", code=2).output


def test_a_bundle_with_an_operator_that_reaches_the_system_is_refused(place, score):
    write_bundle(place / "bad", onnx_bytes=b"no onnx")
    np.savez(place / "a.npz", x=DIGITS)
    done = score("a.npz --model ./bad --out s.csv", code=2)
    assert "model.onnx" in done.output


def test_a_model_that_no_engine_opens_is_a_failure(place, store, score):
    store.install(lambda staged: write_bundle(staged, name="bad", onnx_bytes=b"bad"))
    np.savez(place / "a.npz", x=DIGITS)
    score("a.npz --model bad --out s.csv", code=2)


def test_a_name_that_is_too_long_for_the_disk_is_told(place, score):
    np.savez(place / "a.npz", x=DIGITS)
    done = score(f"a.npz --model linear --out {'s' * 249}.csv", code=1)
    assert "s.csv cannot be written: File name too long" in done.output


def test_a_folder_that_cannot_be_written_is_a_failure(place, score):
    np.savez(place / "a.npz", x=DIGITS)
    # Nobody may make a folder there, root neither.
    done = score("a.npz --model linear --out /proc/self/s.csv", code=1)
    assert "/proc/self/s.csv cannot be written: " in done.output


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (BackendError("the engine is broken"), 1, "Error: the engine is broken"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_run_that_ends_in_the_middle_tells_how_to_go_on(
    place, score, monkeypatch, error, code, sentence
):
    np.savez(place / "a.npz", x=DIGITS.reshape(5, 4))
    command = "a.npz --model linear --out s.csv --batch 2"
    answer, left = LocalEngine.inputs, [True, True]

    def inputs(engine, given):
        if not left:
            raise error
        left.pop()
        return answer(engine, given)

    with monkeypatch.context() as patch:
        patch.setattr(LocalEngine, "inputs", inputs)
        done = score(command, code=code)
    assert "4 items are done: go on with --resume\n" in done.output
    assert sentence in done.output
    assert not (place / "s.csv").exists()
    score(f"{command} --resume")
    assert len((place / "s.csv").read_text().splitlines()) == 6
    assert [path.name for path in place.glob(".*")] == []
