"""A part is in the output once, whoever is killed and whoever writes it again."""

import json
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from bundle.errors import StoreUnreachable
from bundle.objects.bucket import Bucket
from runtime.admin.errors import AdminError, WorkFailed
from runtime.ray import output
from runtime.ray.output import Before, Done, PartFolder
from runtime.ray.rejects import RejectsFile

PLAN = {"input": "pictures", "model": "mnist:3 digest", "settings": "[256]"}
FIRST = Done(0, 2, [("bad.png", "damaged")], "aa")
SECOND = Done(1, 3, [], "aa")


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path, monkeypatch):
    """Return the place of an output, in a folder or in a store in memory."""
    if request.param == "folder":
        return tmp_path / "scores"
    bucket = Bucket(MemoryStore())
    monkeypatch.setattr(output, "open_place", lambda url: bucket)
    return "s3://bucket/scores"


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "made"
    path.write_bytes(b"rows")
    return path


def begin(place, plan=PLAN, **how):
    """Begin a run as the command does; return its folder and its ticket."""
    folder = PartFolder(place)
    before = folder.look(plan, **({"resume": False, "force": False} | how))
    return folder, folder.begin(plan, before or Before(512, []))


def names(place):
    return sorted(PartFolder(place)._names())


def test_a_finished_output_has_the_rows_and_its_figures_alone(place, rows):
    folder, ticket = begin(place)
    folder.add(ticket, FIRST, rows)
    folder.add(ticket, SECOND, rows)
    folder.add(ticket, Done(2, 0, [("c.png", "damaged")], ""), None)
    folder.finish([FIRST, SECOND], {"items": 6})
    assert names(place) == ["_SUCCESS", "part-000000.parquet", "part-000001.parquet"]
    assert json.loads(folder._read("_SUCCESS")) == {"items": 6}
    assert folder._read("part-000001.parquet") == b"rows"


def test_a_part_that_is_written_twice_is_there_once(place, rows):
    folder, ticket = begin(place)
    folder.add(ticket, FIRST, rows)
    before = names(place)
    folder.add(ticket, FIRST, rows)
    assert names(place) == before


def test_a_killed_run_goes_on_with_the_parts_that_are_done(place, rows):
    folder, ticket = begin(place)
    folder.add(ticket, FIRST, rows)
    folder._put("part-000001.parquet", rows)  # killed before it was done
    with pytest.raises(AdminError, match="not finished: go on with --resume, or begin"):
        begin(place)
    again = PartFolder(place)
    assert again.look(PLAN, resume=True, force=False) == Before(512, [FIRST])
    assert again.kept == 3


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("input", "others", "the input has changed"),
        ("model", "mnist:4 other", "or score by --model mnist:3"),
        ("settings", "[8]", "--batch, --keep, --key or the ending of --out differ"),
    ],
)
def test_another_run_does_not_go_on_with_the_output(place, rows, key, value, why):
    begin(place)
    with pytest.raises(AdminError, match="cannot be gone on with") as caught:
        begin(place, {**PLAN, key: value}, resume=True)
    assert why in str(caught.value)


def test_a_finished_output_is_replaced_by_force_alone(place, rows):
    folder, ticket = begin(place)
    folder.add(ticket, FIRST, rows)
    folder.finish([FIRST], {})
    for how in ({}, {"resume": True}):
        with pytest.raises(AdminError, match="is there already: give another name"):
            begin(place, **how)
    folder, ticket = begin(place, force=True)
    assert names(place) == ["_plan.json"]


def test_files_of_a_stranger_stay(place, rows):
    folder, ticket = begin(place)
    folder._put("notes.txt", b"mine")
    folder.add(ticket, FIRST, rows)
    folder.drop()
    assert names(place) == ["notes.txt"]


def test_a_command_that_was_killed_at_its_very_end_had_finished(
    place, rows, monkeypatch
):
    folder, ticket = begin(place)
    folder.add(ticket, FIRST, rows)
    with monkeypatch.context() as patch:
        patch.setattr(PartFolder, "_tidy", lambda folder: None)
        folder.finish([FIRST], {})
    assert "_plan.json" in names(place)
    with pytest.raises(AdminError, match="is there already"):
        begin(place, resume=True)
    assert names(place) == ["_SUCCESS", "part-000000.parquet"]


def test_processes_of_an_earlier_command_write_nothing_more(place, rows):
    earlier, ticket = begin(place)[0], begin(place, force=True)[1]
    with pytest.raises(WorkFailed, match="another command writes"):
        earlier.add("an earlier ticket", FIRST, rows)
    earlier.add(ticket, FIRST, rows)


def test_a_node_that_does_not_share_the_folder_writes_nothing(place, rows):
    with pytest.raises(WorkFailed, match="all nodes must share it"):
        PartFolder(place).add("ticket", FIRST, rows)
    assert names(place) == []


def test_missing_rows_are_noticed_at_the_end(place, rows):
    folder, ticket = begin(place)
    folder.add(ticket, FIRST, rows)
    with pytest.raises(WorkFailed, match="1 files of .* are missing"):
        folder.finish([FIRST, SECOND], {})
    assert "_SUCCESS" not in names(place)


def test_nothing_is_left_if_no_item_has_scores(place):
    folder, ticket = begin(place)
    none = Done(0, 0, [("a.png", "damaged")], "")
    folder.add(ticket, none, None)
    folder.finish([none], {})
    assert names(place) == []
    assert not (isinstance(place, Path) and place.exists())


@pytest.mark.parametrize("text", [b"", b"[]", b'{"items": 3}', b'{"items": "x"}'])
def test_a_damaged_plan_is_refused(place, text):
    folder = PartFolder(place)
    folder._put("_plan.json", text)
    with pytest.raises(AdminError, match="is damaged: begin again with --force"):
        begin(place, resume=True)


def test_a_place_that_cannot_be_one_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for place, why in (
        (tmp_path / "gone" / "scores", "there is no folder"),
        (tmp_path / "file", "is a file; name a folder"),
        ("s3://bucket", "names a bucket; name a folder in it"),
    ):
        with pytest.raises(AdminError, match=why):
            PartFolder(place)
    with pytest.raises(AdminError, match="is a folder, a device or a pipe"):
        RejectsFile(tmp_path)


def test_a_store_that_is_gone_fails_the_work(monkeypatch):
    class Gone:
        def read(self, key):
            raise StoreUnreachable("the object store does not answer")

    monkeypatch.setattr(output, "open_place", lambda url: Gone())
    with pytest.raises(
        WorkFailed, match="cannot be written: the object store does not"
    ):
        begin("s3://bucket/scores")


def test_rejected_items_are_lines_of_a_csv(tmp_path):
    path = tmp_path / "rejects.csv"
    rejects = RejectsFile(path)
    rejects.check_free()
    rejects.write([("a,b.png", "damaged")])
    assert path.read_text() == 'item,reason\n"a,b.png",damaged\n'
    with pytest.raises(AdminError, match="is there already"):
        rejects.check_free()
    rejects.write([])
    assert not path.exists()
