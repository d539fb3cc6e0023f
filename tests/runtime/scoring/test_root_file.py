"""Rows of a tree are read in pieces, from a TTree and an RNTuple alike."""

import sys

import numpy as np
import pytest
import uproot

from runtime.admin.errors import AdminError
from runtime.scoring.chunks import Kept
from runtime.scoring.root_file import RootFile
from tests.runtime.scoring.makers import rows_of

FACTS = rows_of("b-1", "a")
COLUMNS = {
    "a": np.linspace(0, 1, 7, dtype=np.float32),
    "b-1": np.arange(7, dtype=np.int32),
    "event": np.arange(7, dtype=np.int64) + 100,
}


@pytest.fixture(params=["TTree", "RNTuple"])
def path(tmp_path, request):
    with uproot.recreate(tmp_path / "r.root") as file:
        if request.param == "TTree":
            file.mktree("events", {n: c.dtype for n, c in COLUMNS.items()})
            file["events"].extend(COLUMNS)
        else:
            file["events"] = COLUMNS
    return tmp_path / "r.root"


@pytest.mark.parametrize("done", [0, 3, 6, 7])
def test_the_rest_is_read_from_the_row_that_is_reached(path, done):
    source = RootFile(path, "", FACTS, ("event", "a"))
    assert source.total == 7
    assert source.kept == (Kept("event", "int"), Kept("a", "single"))
    chunks = list(source.chunks(3, done))
    items = [item for chunk in chunks for item in chunk.items]
    assert items == [str(n) for n in range(done, 7)]
    for name in ("a", "b-1"):
        read = [v for chunk in chunks for v in chunk.content.columns[name]]
        assert read == COLUMNS[name][done:].tolist()
    kept = [chunk.kept for chunk in chunks]
    assert [e for events, _ in kept for e in events] == [*range(100 + done, 107)]
    assert [list(chunk.content.columns) for chunk in chunks] == [["b-1", "a"]] * len(
        kept
    )


def test_texts_are_read_from_an_rntuple(tmp_path):
    with uproot.recreate(tmp_path / "r.root") as file:
        file["t"] = {"a": np.zeros(2), "part": np.array(["mu", "e"])}
    source = RootFile(tmp_path / "r.root", "t", rows_of("part"), ("a",))
    (chunk,) = source.chunks(5, 0)
    assert chunk.content.columns == {"part": ["mu", "e"]}
    assert chunk.kept == ([0.0, 0.0],)


def test_the_key_chooses_the_tree(tmp_path):
    with uproot.recreate(tmp_path / "r.root") as file:
        for name in ("one", "two"):
            file.mktree(name, {"a": np.float32})
        file["two"].extend({"a": np.zeros(3, np.float32)})
    assert RootFile(tmp_path / "r.root", "two", rows_of("a"), ()).total == 3
    for tree, facts, sentence in (
        ("", rows_of("a"), "it has one, two; name it with --key NAME"),
        ("three", rows_of("a"), "r.root has no tree 'three'; it has one, two"),
        ("one", rows_of("a"), "the tree one has no entries"),
        ("two", rows_of("b"), "the columns 'b' are missing; it has a"),
    ):
        with pytest.raises(AdminError, match=sentence):
            RootFile(tmp_path / "r.root", tree, facts, ())


def test_a_branch_of_several_values_is_refused(tmp_path):
    with uproot.recreate(tmp_path / "r.root") as file:
        file.mktree("t", {"a": "var * float32", "b": "3 * float32"})
        file["t"].extend({"a": [[1.0], [2.0, 3.0]], "b": np.zeros((2, 3), np.float32)})
    for name in ("a", "b"):
        with pytest.raises(AdminError, match=f"the branch '{name}' has several values"):
            RootFile(tmp_path / "r.root", "t", rows_of(name), ())


def test_a_damaged_file_is_refused(path):
    whole = path.read_bytes()
    for damaged in (b"", b"no file of ROOT", whole[:300]):
        path.write_bytes(damaged)
        with pytest.raises(
            AdminError, match="r.root is damaged, cut short, or no ROOT"
        ):
            RootFile(path, "", FACTS, ())


def test_without_uproot_the_package_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uproot", None)
    with pytest.raises(AdminError, match=r"pip install 'tfaas-onnx\[data\]'"):
        RootFile(path, "", FACTS, ())
