"""Each format gives the same table, and each way to break it gives one sentence."""

from __future__ import annotations

import gzip
import io
import threading
from collections.abc import Callable
from pathlib import Path

# Its import asks a program for the processor's name, which no unit test may do.
import h5py
import numpy as np
import pytest

from tests.trainer.tables.examples import (
    Table,
    events,
    numbers,
    write_csv,
    write_hdf5,
    write_npz,
    write_parquet,
    write_root,
)
from trainer.errors import DataError
from trainer.tables.dataset import TableSet, load_table
from trainer.tables.opening import is_table
from trainer.tables.wishes import Wishes

SIGNAL = Wishes(label="signal")
WRITERS: dict[str, Callable[[Path, Table], Path]] = {
    "t.csv": write_csv,
    "t.parquet": write_parquet,
    "t.h5": write_hdf5,
    "t.npz": write_npz,
    "t.root": lambda path, table: write_root(path, table, "rntuple"),
}


def refusal(path: Path, wishes: Wishes = SIGNAL) -> str:
    with pytest.raises(DataError) as caught:
        load_table(path, wishes)
    return str(caught.value)


def same(data: TableSet, table: Table) -> bool:
    """Tell whether both parts together hold the rows of a table, in any order."""
    found = sorted(
        zip(
            *(
                np.concatenate([data.x_train[n], data.x_test[n]]).ravel().tolist()
                for n in ("pt", "eta", "channel")
            ),
            np.concatenate([data.y_train, data.y_test]).tolist(),
            strict=True,
        )
    )
    return found == sorted(zip(*(v.tolist() for v in table.values()), strict=True))


@pytest.mark.parametrize("name", WRITERS)
def test_each_format_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    table = events()
    path = WRITERS[name](tmp_path / name, table)
    assert is_table(path)
    data = load_table(path, SIGNAL)
    assert same(data, table)
    assert data.labels == ("0", "1")
    # HDF5 and RNTuple sort the names.
    assert data.features == ("pt", "eta", "channel") or name in ("t.h5", "t.root")
    assert set(data.features) == {"pt", "eta", "channel"}
    assert len(data.y_test) == 8


def test_numbers_alone_are_one_row_in_the_order_of_the_file(tmp_path: Path) -> None:
    table = numbers(events())
    data = load_table(write_root(tmp_path / "t.root", table), SIGNAL)
    assert data.features == ("pt", "eta")
    assert data.x_train["row"].shape == (32, 2)
    assert data.x_train["row"].dtype == np.float32
    rows = {tuple(row) for row in data.x_train["row"].tolist()}
    assert rows < set(zip(table["pt"].tolist(), table["eta"].tolist(), strict=True))


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_csv_may_have_other_delimiters(delimiter: str, tmp_path: Path) -> None:
    table = events()
    assert same(
        load_table(write_csv(tmp_path / "t.csv", table, delimiter), SIGNAL), table
    )


def test_a_csv_may_have_a_mark_crlf_and_gzip(tmp_path: Path) -> None:
    table = events()
    text = write_csv(tmp_path / "t.csv", table).read_bytes().replace(b"\n", b"\r\n")
    path = tmp_path / "u.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + text))
    assert same(load_table(path, SIGNAL), table)


def test_the_index_of_pandas_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",a,signal\n" + "".join(f"{n},{n / 7},{n % 2}\n" for n in range(9)))
    data = load_table(path, SIGNAL)
    assert data.features == ("a",)
    assert "t.csv: the first column has no name, and was passed over" in data.notes


def test_a_folder_joins_files_and_their_names_tell_the_parts(tmp_path: Path) -> None:
    train, more, test = events(20, 1), events(10, 2), events(8, 3)
    write_csv(tmp_path / "train-1.csv", train)
    write_csv(tmp_path / "train-2.csv", more)
    write_csv(tmp_path / "test.csv", test)
    data = load_table(tmp_path, SIGNAL)
    assert len(data.y_train) == 30
    assert data.x_test["pt"].ravel().tolist() == test["pt"].tolist()
    assert data.y_test.tolist() == test["signal"].tolist()


def test_an_npz_may_hold_a_matrix_with_parts(tmp_path: Path) -> None:
    x = np.arange(24.0).reshape(8, 3)
    path = tmp_path / "t.npz"
    y = np.arange(8) % 2
    features = np.array(["a", "b", "c"])
    np.savez(path, x_train=x, y_train=y, x_test=x[:2], y_test=y[:2], features=features)
    data = load_table(path)
    assert data.features == ("a", "b", "c")
    assert data.x_train["row"].tolist() == x.tolist()
    assert data.y_test.tolist() == [0, 1]


def test_rows_of_an_npz_may_be_named_as_people_do(tmp_path: Path) -> None:
    x, y = np.arange(24.0).reshape(8, 3), np.arange(8) % 2
    path = tmp_path / "t.npz"
    for x_name, y_name in (("X", "y"), ("data", "target"), ("trainX", "trainY")):
        np.savez(path, **{x_name: x, y_name: y})
        assert is_table(path)
        data = load_table(path)
        assert data.features == ("x0", "x1", "x2")
        assert len(data.y_train) + len(data.y_test) == 8


@pytest.mark.parametrize(("width", "table"), [(784, False), (3072, False), (99, True)])
def test_rows_of_pixels_are_images_unless_a_person_names_columns(
    width: int, table: bool, tmp_path: Path
) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, x_train=np.zeros((2, width)), y_train=np.arange(2))
    assert is_table(path) is table
    assert is_table(path, named=True)


def test_an_hdf5_may_hold_a_compound_or_a_matrix(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.float32).reshape(8, 3)
    compound = np.zeros(8, [("a", "f4"), ("name", "S4"), ("label", "i1")])
    compound["a"], compound["label"] = x[:, 0], np.arange(8) % 2
    compound["name"] = b"e"
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["group/table"] = compound
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["x"], file["y"] = x, np.arange(8) % 2
    data = load_table(tmp_path / "c.h5")
    assert data.features == ("a", "name")
    assert data.x_train["name"][0, 0] == "e"
    matrix = load_table(tmp_path / "m.h5")
    assert matrix.features == ("x0", "x1", "x2")
    assert len(matrix.y_train) == 6


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (np.arange(8) + 1j, "'a' holds neither numbers nor texts; make numbers"),
        (np.zeros(8, "V4"), "'a' holds neither numbers nor texts; make numbers"),
        (np.zeros((8, 2)), "the array 'a' has the shape (8, 2), and a column has (N,)"),
        (np.float64(3), "the array 'a' has the shape (), and a column has (N,)"),
        (h5py.Empty("f"), "the array 'a' has the shape (), and a column has (N,)"),
        (np.zeros(8, [("x", "f4")]), "of the column 'a' holds several values"),
        ("lists", "of the column 'a' holds several values"),
    ],
)
def test_datasets_of_an_hdf5_that_are_no_columns_are_refused_unless_others_are_chosen(
    column: object, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        file["b"], file["signal"] = np.arange(8.0), np.arange(8) % 2
        if isinstance(column, str):
            file.create_dataset("a", (8,), h5py.vlen_dtype(np.int32))
        else:
            file["a"] = column
    assert words in refusal(path)
    assert load_table(path, Wishes("signal", features=("b",))).features == ("b",)


def test_an_hdf5_may_have_labels_in_one_column_and_needs_names_that_are_texts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = np.zeros((8, 2)), np.arange(8).reshape(8, 1) % 2
    assert np.bincount(load_table(path).y_train).tolist() == [3, 3]
    with h5py.File(path, "a") as file:
        file["features"] = [1, 2]
    assert "'features' holds no list of texts" in refusal(path, Wishes())
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = np.zeros((8, 2)), np.eye(8)
    assert "'y' has the shape (8, 8), and a column has (N,)" in refusal(path, Wishes())


@pytest.mark.parametrize("name", ["t.h5", "t.npz"])
def test_weights_beside_a_matrix_are_no_feature(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    arrays = {"x": np.eye(8, 2), "y": np.arange(8) % 2, "w": np.arange(8.0) + 1}
    if name == "t.npz":
        np.savez(path, **arrays)
    else:
        write_hdf5(path, arrays)
    data = load_table(path)
    assert data.features == ("x0", "x1")
    assert data.w_test is not None
    assert "the rows count by their weights in 'w'" in data.notes
    named = load_table(path, Wishes(features=("x1", "w")))
    assert (named.features, named.w_test) == (("x1", "w"), None)


def test_an_array_of_an_npz_that_is_no_column_is_refused_unless_others_are_chosen(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.npz"
    table = numbers(events())
    np.savez(path, **table, version=np.array(3))
    assert "the array 'version' has the shape ()" in refusal(path)
    chosen = load_table(path, Wishes("signal", features=("pt",)))
    assert chosen.features == ("pt",)


def test_parts_of_an_npz_must_have_the_same_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    y = np.arange(8) % 2
    np.savez(path, x_train=np.ones((8, 2)), y_train=y, x_test=np.ones((8, 3)), y_test=y)
    assert "x_train has no column 'x2', which" in refusal(path, Wishes())


def test_a_root_file_with_two_trees_needs_a_name(tmp_path: Path) -> None:
    import uproot

    path = tmp_path / "t.root"
    table = numbers(events())
    with uproot.recreate(path) as file:
        for name in ("sig", "dir/bkg"):
            file.mktree(name, {n: v.dtype for n, v in table.items()})
            file[name].extend(table)
    assert refusal(path) == (
        f"{path} holds the trees sig, dir/bkg; name one, as in {path}:sig"
    )
    data = load_table(Path(f"{path}:dir/bkg"), SIGNAL)
    assert len(data.y_train) == 32
    assert "has no tree 'x'; it has sig, dir/bkg" in refusal(Path(f"{path}:x"))


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_cut_short_is_refused(name: str, tmp_path: Path) -> None:
    path = WRITERS[name](tmp_path / name, events())
    whole = path.read_bytes()
    cut = len(whole) // 2
    if name == "t.csv":
        # Only a line that lacks a value tells that a text was cut.
        cut = whole.index(b",", cut)
    path.write_bytes(whole[:cut])
    sentence = refusal(path)
    assert str(path) in sentence
    assert "Traceback" not in sentence


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert refusal(tmp_path / name) == (
        f"{tmp_path / name} is empty; fetch or write it again"
    )


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "t.csv"])
def test_a_file_of_another_format_than_its_name_says_is_refused(
    name: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / name, events())
    assert f"{path} is no " in refusal(path)
    assert "as its name says" in refusal(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,2\n3,4\n", "has no header: its first line holds numbers"),
        ("a,a,signal\n1,2,0\n", "has two columns named 'a'; rename or remove one"),
        ("a,,signal\n1,2,0\n", "column 2 of the header has no name"),
        (
            "a,signal\n1,0\n2,1\n3\n",
            "line 4 has 1 value and the header names 2 columns",
        ),
        ("a,b\n1,2\n", "has no column 'signal', which --label names; it has a, b"),
        ("a,signal\n", "has no rows"),
        (
            "a,signal\n1,0\n2,1\nx,1\n4,1\n",
            "the column 'a' mixes numbers and texts: row 3 is 'x'",
        ),
        ("a,signal\n1,0\ninf,1\n", "row 2 of the column 'a' is infinite"),
        ("a,signal\n1,0\n1e39,1\n", "row 2 of the column 'a' is 1e+39, too large for"),
        ('a;signal\n"1,5";0\n"2,5";1\n', "'1,5'; write numbers with a decimal point"),
        ("a,signal\n1,1\n2,1\n3,1\n4,1\n", "are all '1'; give at least two classes"),
        ("a,signal\n1,x\n2,y\n3,z\n", "have 3 classes in 3 rows"),
        (
            "a,signal\n1,0\n2,\n3,1\n",
            "1 of 3 rows have no label or no weight, the first",
        ),
        ("signal\n1\n", "has no column to predict 'signal' from"),
        ("a,signal\n,0\n,1\n,0\n,1\n", "'a' has no value in any training row"),
        # Python takes these two for numbers, and pyarrow does not.
        ("a,signal\n1,0\n2,1\n1_000,1\n4,1\n", "row 3 is '1_000'; leave the cell"),
        ("a,signal\n1,0\n2,1\n٣,1\n4,1\n", "row 3 is '٣'; leave the cell"),
        ("a,signal\r1,0\r2,1\r", "is no header of a CSV file; end each line with a"),
    ],
)
def test_a_wrong_csv_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert str(path) in refusal(path)
    assert sentence in refusal(path)


def test_a_csv_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,signal\nx,0\n\xe9,1\n")
    assert f"{path}: line 3 is no text in UTF-8" in refusal(path)
    # pyarrow itself would print a traceback for a short line that is no text.
    path.write_bytes(b"a,signal\nx,0\n\xe9\ny,1\n")
    assert f"{path}: line 3 is no text in UTF-8" in refusal(path)
    path.write_bytes(b"\xe9,signal\n1,0\n")
    assert "is no text in UTF-8" in refusal(path)


def test_no_thread_of_pyarrow_reads_a_csv_by_code_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such a thread reads on after a failure, and the end of Python aborts the process.
    readers = set()

    class Told(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            readers.add(threading.current_thread())
            return super().read(size)

    monkeypatch.setattr("trainer.tables.csv_files.open_unpacked", Told)
    path = tmp_path / "t.csv"
    path.write_text('a,signal\n"' + "x\n" * 4_000_000)
    assert str(path) in refusal(path)
    assert readers == {threading.current_thread()}


def test_nested_columns_of_a_parquet_are_refused_by_name(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    table = {"a": [1.0, 2.0], "jets": [[1.0], [2.0, 3.0]], "signal": [0, 1]}
    parquet.write_table(pa.table(table), path)
    assert "each row of the column 'jets' holds a list<" in refusal(path)
    dates = pa.array([0, 1], pa.timestamp("ms"))
    parquet.write_table(pa.table({"t": dates, "signal": [0, 1]}), path)
    assert "the column 't' is timestamp[ms], neither numbers nor texts" in refusal(path)


def test_jagged_branches_are_refused_by_name_unless_others_are_chosen(
    tmp_path: Path,
) -> None:
    import awkward as ak
    import uproot

    path = tmp_path / "t.root"
    table = numbers(events())
    jets = ak.Array([[1.0], [2.0, 3.0]] * 20)
    with uproot.recreate(path) as file:
        kinds = {n: v.dtype for n, v in table.items()}
        file.mktree("events", {**kinds, "jets": "var * float32"})
        file["events"].extend({**table, "jets": jets})
    assert "each row of the column 'jets' holds a list of values" in refusal(path)
    chosen = load_table(path, Wishes(label="signal", features=("pt",)))
    assert chosen.features == ("pt",)


def test_objects_in_an_npz_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, a=np.array([{}, {}], object), signal=np.arange(2))
    assert "is no whole .npz file of numbers and texts" in refusal(path)


def test_arrays_of_different_lengths_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, a=np.arange(3.0), signal=np.arange(2))
    assert "'signal' has 2 rows and 'a' has 3" in refusal(path)


def test_a_root_file_without_a_tree_is_refused(tmp_path: Path) -> None:
    import uproot

    path = tmp_path / "t.root"
    with uproot.recreate(path) as file:
        file["h"] = np.histogram(np.arange(5.0))
    assert "holds no tree" in refusal(path)


def test_files_of_a_folder_must_have_the_same_columns(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", events())
    write_csv(tmp_path / "b.csv", numbers(events()))
    assert "b.csv has no column 'channel', which" in refusal(tmp_path)


def test_a_folder_of_several_formats_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", events())
    write_npz(tmp_path / "b.npz", events())
    assert "holds tables of several formats (CSV, NumPy)" in refusal(tmp_path)


def test_pictures_are_no_table(tmp_path: Path) -> None:
    np.savez(tmp_path / "i.npz", x_train=np.zeros((2, 28, 28)), y_train=np.zeros(2))
    assert not is_table(tmp_path / "i.npz")
    (tmp_path / "cats").mkdir()
    assert not is_table(tmp_path)
