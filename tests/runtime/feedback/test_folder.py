"""The folder of the feedback is whole after every fault, and never above its bounds."""

import csv
import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bundle.errors import ConflictError, StoreError
from bundle.staging import locked
from runtime.feedback.folder import FeedbackFolder
from tests.examples import file_size_limit
from tests.forms import png
from trainer.data import load_dataset

COLUMNS = ("pt", "kind", "label")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "kept" / "feedback"


@pytest.fixture
def make(root):
    """Return a function that opens the folder, as another process does."""

    def make(max_bytes=1 << 20, max_items=1000, **settings):
        return FeedbackFolder(root, max_bytes, max_items, **settings)

    return make


def shown(root):
    """Return the files that a reader of the folder sees, and their contents."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def place_of(label, data, ending="png"):
    return f"mnist/images/{label}/{hashlib.sha256(data).hexdigest()}.{ending}"


def test_a_picture_is_kept_as_it_came(make, root):
    assert make().keep_picture("mnist", "7", b"as it came", "png") == 1
    assert make().keep_picture("mnist", "1", b"another", "jpeg") == 2
    assert shown(root) == {
        place_of("7", b"as it came"): b"as it came",
        place_of("1", b"another", "jpeg"): b"another",
    }


def test_a_picture_has_the_newest_label_alone(make, root):
    for label in ("7", "7", "1", "7", "1"):
        assert make().keep_picture("mnist", label, b"same", "png") == 1
    assert shown(root) == {place_of("1", b"same"): b"same"}
    # No trainer takes a class without pictures.
    assert [path.name for path in (root / "mnist" / "images").iterdir()] == ["1"]


def test_a_picture_of_another_model_is_another_one(make, root):
    make().keep_picture("mnist", "7", b"same", "png")
    assert make().keep_picture("other", "1", b"same", "png") == 1
    assert len(shown(root)) == 2


def test_rows_are_lines_below_a_header(make, root):
    rows = [("1.5", "mu", "signal"), ("", 'a "b", c', "noise"), ("-1e-07", "é", "x")]
    for number, row in enumerate(rows, start=1):
        assert make().keep_row("higgs", COLUMNS, row) == number
    path = root / "higgs" / "rows.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        assert [*csv.reader(stream)] == [[*COLUMNS], *map(list, rows)]
    assert path.read_bytes().count(b"\n") == 4


def test_rows_of_other_columns_are_refused(make, root):
    make().keep_row("higgs", COLUMNS, ("1", "mu", "a"))
    before = shown(root)
    with pytest.raises(ConflictError, match=r"than kind, pt, label: .*rows\.csv away"):
        make().keep_row("higgs", ("kind", "pt", "label"), ("mu", "1", "a"))
    assert shown(root) == before


# -- bounds ---------------------------------------------------------------------------


def test_no_more_items_than_the_bound_are_kept_after_a_restart_too(make, root):
    make(max_items=3).keep_picture("mnist", "7", b"one", "png")
    make(max_items=3).keep_picture("other", "7", b"two", "png")
    make(max_items=3).keep_row("mnist", COLUMNS, ("1", "mu", "a"))
    before = shown(root)
    for again in (make(max_items=3), make(max_items=3)):
        again.sweep()
        with pytest.raises(ConflictError, match="3 items, and 'feedbackItems' is 3"):
            again.keep_picture("mnist", "7", b"three", "png")
        with pytest.raises(ConflictError, match="is full"):
            again.keep_row("mnist", COLUMNS, ("2", "mu", "a"))
    assert shown(root) == before
    # A picture that is there may still get another label.
    assert make(max_items=3).keep_picture("mnist", "1", b"one", "png") == 2


def test_no_more_bytes_than_the_bound_are_kept(make, root):
    folder = make(max_bytes=100)
    folder.keep_picture("mnist", "7", bytes(60), "png")
    with pytest.raises(ConflictError, match="60 bytes, these are 41, and 'feedbackB"):
        folder.keep_picture("mnist", "7", bytes(41), "png")
    # The header has 14 bytes, and the line 7.
    make(max_bytes=81).keep_row("mnist", COLUMNS, ("1", "mu", "a"))
    with pytest.raises(ConflictError, match="81 bytes, these are 7"):
        make(max_bytes=87).keep_row("mnist", COLUMNS, ("2", "mu", "a"))
    make(max_bytes=88).keep_row("mnist", COLUMNS, ("2", "mu", "a"))
    assert sum(map(len, shown(root).values())) == 88


def test_what_the_owner_takes_away_makes_room(make, root):
    folder = make(max_items=1)
    folder.keep_picture("mnist", "7", b"one", "png")
    (root / place_of("7", b"one")).unlink()
    assert folder.keep_picture("mnist", "7", b"two", "png") == 1


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"mnist": 1}', b'{"m'])
def test_damaged_counts_are_made_anew(make, root, content):
    make().keep_picture("mnist", "7", b"one", "png")
    make().keep_row("mnist", COLUMNS, ("1", "mu", "a"))
    (root / ".counts.json").write_bytes(content)
    assert make().keep_picture("mnist", "7", b"two", "png") == 3


def test_several_writers_lose_nothing_and_keep_the_bound(make, root):
    def work(number):
        kept = 0
        for turn in range(5):
            text = f"{number}-{turn}"
            for keep in (
                lambda: make(max_items=60).keep_row("m", COLUMNS, (text, "mu", "a")),  # noqa: B023
                lambda: make(max_items=60).keep_picture("m", "7", text.encode(), "png"),  # noqa: B023
            ):
                try:
                    keep()
                except ConflictError:
                    continue
                kept += 1
        return kept

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 60
    pictures = len([name for name in shown(root) if name.endswith(".png")])
    with (root / "m" / "rows.csv").open(newline="") as stream:
        rows = [*csv.reader(stream)]
    assert pictures + len(rows) - 1 == 60
    assert {len(row) for row in rows} == {3}


# -- faults ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["the next row", "the next start"])
def test_a_row_that_a_kill_cut_short_is_taken_away(make, root, how):
    make().keep_row("higgs", COLUMNS, ("1", "mu", "a"))
    path = root / "higgs" / "rows.csv"
    one = path.read_bytes()
    make().keep_row("higgs", COLUMNS, ("2", "e", "b"))
    two = path.read_bytes()
    for length in range(len(two)):
        path.write_bytes(two[:length])
        whole = one if length >= len(one) else two[:14] if length >= 14 else b""
        if how == "the next start":
            make().sweep()
            assert path.read_bytes() == whole
        make().keep_row("higgs", COLUMNS, ("3", "mu", "c"))
        assert path.read_bytes() == (whole or two[:14]) + b"3,mu,c\n"


def test_the_start_takes_away_what_a_kill_left(make, root):
    folder = make()
    folder.keep_picture("mnist", "7", b"one", "png")
    before = shown(root)
    (root / ".new").write_bytes(b"half")
    (root / "mnist" / "images" / "1").mkdir()
    (root / ".counts.json").write_text('{"mnist": [900, 900]}')
    make().sweep()
    assert not (root / ".new").exists()
    assert [path.name for path in (root / "mnist" / "images").iterdir()] == ["7"]
    assert shown(root) == before
    assert make().keep_picture("mnist", "7", b"two", "png") == 2


def test_a_start_without_a_folder_makes_none(make, root):
    make().sweep()
    assert not root.exists()


def test_a_folder_that_cannot_be_used_is_told_at_the_start(make, root, caplog):
    make().keep_picture("mnist", "7", b"one", "png")
    with locked(root):
        make(lock_seconds=0).sweep()
    assert "the feedback cannot be kept: another process is changing it" in caplog.text


def keep_both(folder):
    folder.keep_picture("mnist", "7", b"picture" * 10, "png")
    folder.keep_row("mnist", COLUMNS, ("2", "e", "b"))


def test_a_disk_that_is_full_at_any_byte_keeps_all_as_it_was(make, root):
    make().keep_row("mnist", COLUMNS, ("1", "mu", "a"))
    for limit in range(71):
        before = shown(root)
        with pytest.raises(StoreError) as caught, file_size_limit(limit):
            make().keep_picture("mnist", "7", b"picture" * 10 + bytes([limit]), "png")
        assert os.strerror(errno.EFBIG) in str(caught.value)
        assert str(root) not in str(caught.value)
        assert shown(root) == before
    for limit in range(21, 27):
        with pytest.raises(StoreError), file_size_limit(limit):
            make().keep_row("mnist", COLUMNS, ("2", "e", "bb"))
        assert shown(root) == before
    assert not (root / "mnist" / "images" / "7").exists()
    assert make().keep_picture("mnist", "7", b"picture", "png") == 2


def test_the_first_row_on_a_full_disk_leaves_no_file(make, root):
    with pytest.raises(StoreError), file_size_limit(16):
        make().keep_row("mnist", COLUMNS, ("1", "mu", "a"))
    assert shown(root) == {}


@pytest.mark.parametrize("step", ["mkdir", "open", "fsync", "rename", "replace"])
def test_a_call_that_fails_keeps_each_item_wholly_or_not(make, root, monkeypatch, step):
    real = getattr(os, step)
    make().keep_picture("mnist", "1", b"first", "png")
    make().keep_row("mnist", COLUMNS, ("1", "mu", "a"))
    old = shown(root)
    keep_both(make())
    new = shown(root)
    picture = place_of("7", b"picture" * 10)
    for nth in range(1, 30):
        (root / picture).unlink(missing_ok=True)
        (root / "mnist" / "rows.csv").write_bytes(old["mnist/rows.csv"])
        calls = []

        def failing(*args, **kwargs):
            calls.append(args)  # noqa: B023
            if len(calls) == nth:  # noqa: B023
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, step, failing)
            try:
                keep_both(make())
            except StoreError as ex:
                assert "No space left on device; make room there" in str(ex)
                assert str(root) not in str(ex)
        found = shown(root)
        assert old.items() <= {**found, "mnist/rows.csv": old["mnist/rows.csv"]}.items()
        assert found.get(picture) in (None, new[picture])
        assert found["mnist/rows.csv"] in (old["mnist/rows.csv"], new["mnist/rows.csv"])
        make().sweep()
        counted = make().keep_picture("mnist", "1", b"first", "png")
        pictures = len(found) - 1
        assert counted == pictures + found["mnist/rows.csv"].count(b"\n") - 1


# -- the trainer ----------------------------------------------------------------------


def test_the_trainer_reads_the_pictures_as_a_folder_of_classes(make, root):
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 2, 2) * 10
    for label, one in zip(("zero", "zero", "one", "one"), pixels, strict=True):
        make().keep_picture("mnist", label, png(one), "png")
    found = load_dataset(root / "mnist" / "images")
    assert found.labels == ("one", "zero")
    read = [*found.x_train, *found.x_test]
    classes = [*found.y_train, *found.y_test]
    for label, one in zip((1, 1, 0, 0), pixels, strict=True):
        (place,) = [
            place
            for place, image in enumerate(read)
            if np.array_equal(image[:, :, 0], one)
        ]
        assert classes[place] == label
