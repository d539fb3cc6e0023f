"""Pictures are found in the order of their names, and each has its own answer."""

import os

import numpy as np
import pytest
from PIL import Image

from runtime.admin.errors import AdminError
from runtime.scoring.pictures import pictures_of
from runtime.scoring.scorer import Scorer
from tests.examples import write_bundle
from tests.runtime.scoring.makers import CSV, facts_with


def test_a_folder_is_scored_in_the_order_of_the_names(place, pictures, score):
    done = score("pictures --model linear --out scores.csv")
    assert (place / "scores.csv").read_text() == CSV
    assert done.stdout.startswith("scores.csv: 5 items, ")
    assert sorted(p.name for p in place.iterdir()) == [
        *("config.json", "models", "pictures", "scores.csv"),
    ]


def test_files_are_scored_as_they_were_typed(place, pictures, score):
    score("pictures/z.png pictures/a.png --model linear:1 --out scores.csv")
    lines = (place / "scores.csv").read_text().splitlines()
    assert lines[1:] == [
        "pictures/z.png,zero,0.0,0.0,0.0",
        "pictures/a.png,one,10.0,20.0,7.0",
    ]


def test_a_bundle_of_no_store_scores(place, pictures, score):
    write_bundle(place / "made", labels=("x", "y", "z"))
    score("pictures --model ./made --out scores.csv")
    assert (place / "scores.csv").read_text().startswith("item,label,x,y,z\na.png,y,")


def test_a_picture_that_cannot_be_scored_is_rejected_with_its_reason(
    place, pictures, score
):
    (pictures / "broken.png").write_bytes(b"no picture")
    (pictures / "empty.jpg").write_bytes(b"")
    os.mkfifo(pictures / "pipe.png")
    (pictures / "sub" / "lost.png").symlink_to("nowhere")
    (pictures / "notes.txt").write_text("no picture, and not scored")
    (pictures / ".hidden.png").write_bytes(b"x")
    done = score("pictures --model linear --out scores.csv")
    assert (place / "scores.csv").read_text() == CSV
    header, *rejected = (place / "scores.rejects.csv").read_text().splitlines()
    assert header == "item,reason"
    assert [line.partition(",")[0] for line in rejected] == [
        *("broken.png", "empty.jpg", "pipe.png", "sub/lost.png"),
    ]
    assert "damaged, cut short" in rejected[0]
    assert rejected[2].endswith("the picture cannot be read: it is no file")
    assert rejected[3].endswith("the picture is not there")
    assert "5 items, 4 rejected (scores.rejects.csv), " in done.stdout


def test_the_rejects_of_an_earlier_run_do_not_stay(place, pictures, score):
    (place / "scores.rejects.csv").write_text("old")
    score("pictures --model linear --out scores.csv", code=2)
    score("pictures --model linear --out scores.csv --force")
    assert not (place / "scores.rejects.csv").exists()


def test_colour_becomes_gray_as_the_service_makes_it(place, score):
    colour = np.zeros((1, 2, 2, 3), np.uint8)
    colour[..., 1] = 200  # ITU-R 601: 0.587 of it
    Image.fromarray(colour[0]).save(place / "green.png")
    score("green.png --model linear --out file.csv")
    np.savez(place / "green.npz", x=colour)
    score("green.npz --model linear --out array.csv")
    assert (place / "file.csv").read_text().endswith(",two,117.0,117.0,234.0\n")
    assert (place / "array.csv").read_text().endswith("\n0,two,117.0,117.0,234.0\n")


def test_a_name_that_is_no_utf8_is_told_as_well_as_it_can_be(place, pictures, score):
    (pictures / "a.png").rename(os.fsdecode(bytes(pictures) + b"/\xff.png"))
    score("pictures --model linear --out scores.jsonl")
    assert '{"item":"\N{REPLACEMENT CHARACTER}.png",' in (
        place / "scores.jsonl"
    ).read_text(encoding="utf-8")


def test_a_list_of_pictures_is_scored_in_its_order(place, pictures, score):
    (pictures / "list.csv").write_text(
        '\ufeffid;path\r\n"7;1";z.png\r\n8;sub/c.png\r\n9;lost.png\r\n'
    )
    score("pictures/list.csv --model linear --out scores.csv --keep id")
    assert (place / "scores.csv").read_text() == (
        "item,id,label,zero,one,two\n"
        "z.png,7;1,zero,0.0,0.0,0.0\nsub/c.png,8,zero,7.0,0.0,0.0\n"
    )
    assert (place / "scores.rejects.csv").read_text() == (
        "item,reason\nlost.png,the picture is not there\n"
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1", "list.csv: row 0 after the header is no row of 2 values in UTF-8"),
        ("1,a.png,2", "list.csv: row 0 after the header is no row of 2 values in"),
        ("", "list.csv has a header and no rows"),
    ],
)
def test_a_list_that_is_damaged_is_refused(place, score, line, sentence):
    (place / "list.csv").write_text(f"id,path\n{line}\n")
    assert sentence in score("list.csv --model linear --out s.csv", code=2).output
    assert not (place / "s.csv").exists()


def test_a_list_without_a_column_of_paths_tells_its_name(place, score):
    (place / "list.csv").write_text("picture,id\na.png,1\n")
    done = score("list.csv --model linear --out s.csv", code=2)
    assert "in a list of pictures, the column of their paths is 'path'" in done.output


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AdminError, match=r"has no pictures: no name in it ends with"):
        pictures_of([tmp_path])


def test_another_picture_is_another_input(tmp_path, pictures):
    before = pictures_of([pictures]).identity
    assert pictures_of([pictures]).identity == before
    (pictures / "a.png").write_bytes(b"x")
    changed = pictures_of([pictures]).identity
    (pictures / "y.png").write_bytes(b"x")
    assert len({before, changed, pictures_of([pictures]).identity}) == 3


def test_few_large_files_are_in_the_memory_at_once(place, monkeypatch):
    class Engine:
        def files(self, tray, places, files):
            held.append(list(map(len, files)))
            tray.ask(places, lambda numbers: np.array(places)[numbers])

    held = []
    monkeypatch.setattr("runtime.scoring.scorer.MOST_BYTES", 5)
    sizes = [2, 3, 1, 9, 1, 1]
    for number, size in enumerate(sizes):
        (place / f"{number}.png").write_bytes(bytes(size))
    (chunk,) = pictures_of([place]).chunks(10, 0)
    scored = Scorer(Engine(), facts_with()).score(chunk)
    assert held == [[2, 3], [1], [9], [1, 1]]
    assert scored.scores.ravel().tolist() == [*range(6)]
