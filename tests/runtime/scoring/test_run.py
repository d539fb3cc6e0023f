"""A run that ends anywhere goes on, and gives the same bytes as one that does not."""

import errno
import fcntl
import json
import os
from contextlib import contextmanager

import numpy as np
import pytest

from runtime.admin.errors import AdminError, WorkFailed
from runtime.scoring import spool as spools
from runtime.scoring.arrays import ArrayFile
from runtime.scoring.forms import form_of
from runtime.scoring.run import Run
from runtime.scoring.scorer import Scorer
from runtime.scoring.spool import Spool
from runtime.scoring.work import Work
from tests.examples import WEIGHTS, file_size_limit
from tests.runtime.scoring.makers import rows_of

FACTS = rows_of(width=4)
ROWS = np.arange(40.0).reshape(10, 4)
ROWS[[2, 7]] = np.nan  # they are rejected


class Killed(BaseException):
    """The process is gone: nothing after this line happens in it."""


class Engine:
    """An engine that multiplies, and is killed before a chunk."""

    def __init__(self, killed_at=None):
        self.left = killed_at
        self.asked = 0

    def inputs(self, inputs):
        if self.left == 0:
            raise Killed
        if self.left is not None:
            self.left -= 1
        self.asked += len(inputs["row"])
        return inputs["row"] @ WEIGHTS


@pytest.fixture
def data(tmp_path):
    np.savez(tmp_path / "rows.npz", x=ROWS)
    return tmp_path


def prepared(folder, name="s.csv", facts=FACTS, size=3):
    source = ArrayFile(folder / "rows.npz", "", facts)
    form = form_of(folder / name, ())
    spool = Spool(folder / name, folder / "s.rejects.csv")
    return Run(source, facts, form, spool, size, f"batch {size}")


def go(run, engine=None, told=None, **how):
    work = Work(engine or Engine(), run.facts, run.form, ())

    @contextmanager
    def crew(left):
        yield lambda chunks: map(work, chunks)

    tell = (told if told is not None else []).append
    return run.go(crew, lambda done, rejected: tell((done, rejected)), **how)


def kill(run, at, monkeypatch):
    """Kill a run before its chunk ``at``: it cannot even keep what is done."""
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "keep", lambda spool: None)
        with pytest.raises(Killed):
            go(run, Engine(at), clock=iter(range(0, 1000, 2)).__next__)


def outputs(folder):
    return {path.name: path.read_bytes() for path in folder.glob("s.*")}


def expected(folder, name="s.csv"):
    whole = folder / "whole"
    whole.mkdir()
    (whole / "rows.npz").hardlink_to(folder / "rows.npz")
    outcome = go(prepared(whole, name))
    assert (outcome.scored, outcome.rejected) == (8, 2)
    return outputs(whole)


def test_the_answers_are_in_the_order_of_the_items(data):
    told = []
    go(prepared(data), told=told)
    lines = (data / "s.csv").read_text().splitlines()
    assert lines[0] == "item,label,zero,one,two"
    answers = ROWS @ WEIGHTS
    for line, item in zip(lines[1:], [0, 1, 3, 4, 5, 6, 8, 9], strict=True):
        assert line.startswith(f"{item},two,")
        assert [float(n) for n in line.split(",")[2:]] == answers[item].tolist()
    rejects = (data / "s.rejects.csv").read_text()
    assert rejects == (
        "item,reason\n2,the value number 0 is missing\n"
        "7,the value number 0 is missing\n"
    )
    assert told[-1] == (10, 2)
    assert sorted(outputs(data)) == ["s.csv", "s.rejects.csv"]


@pytest.mark.parametrize("name", ["s.csv", "s.jsonl", "s.parquet"])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_killed_run_goes_on_and_gives_the_same_bytes(data, name, at, monkeypatch):
    kill(prepared(data, name), at, monkeypatch)
    spool = data / f".{name}.part"
    with (spool / "rows").open("ab") as rows:
        rows.write(b"written after the journal")
    engine = Engine()
    outcome = go(prepared(data, name), engine, resume=True)
    assert (outcome.scored, outcome.rejected) == (8, 2)
    assert engine.asked == [8, 6, 3, 1][at], "the others were scored before"
    made = outputs(data)
    assert made == expected(data, name)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("replace_files", 1),  # no output has its name
        ("sync", 1),  # the rejected items have theirs
        ("sync", 2),  # both have theirs, and the folder is still there
    ],
)
def test_a_run_that_is_killed_at_its_end_goes_on(data, name, call, monkeypatch):
    function, calls = getattr(spools, name), []

    def kill(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise Killed
        function(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(spools, name, kill)
        with pytest.raises(Killed):
            go(prepared(data))
    engine = Engine()
    outcome = go(prepared(data), engine, resume=True)
    assert (engine.asked, outcome.scored, outcome.rejected) == (0, 8, 2)
    made = outputs(data)
    assert made == expected(data)


def test_a_run_that_was_ended_is_not_begun_again_by_mistake(data, monkeypatch):
    kill(prepared(data), 2, monkeypatch)
    with pytest.raises(AdminError) as error:
        go(prepared(data))
    assert str(error.value).endswith(
        "s.csv was begun and not finished: go on with --resume, or begin again with"
        " --force"
    )
    engine = Engine()
    go(prepared(data), engine, force=True)
    assert engine.asked == 8


@pytest.mark.parametrize("what", ["input", "model", "batch"])
def test_a_run_goes_on_with_the_same_input_model_and_settings_alone(
    data, what, monkeypatch
):
    kill(prepared(data), 2, monkeypatch)
    facts, size = FACTS, 3
    if what == "input":
        os.utime(data / "rows.npz", ns=(0, 0))
        words = "the input has changed"
    elif what == "model":
        facts, words = rows_of(width=4), "another model or version scores"
        object.__setattr__(facts, "digest", "other")
    else:
        size, words = 2, "--batch, --keep, --key or the ending of --out differ"
    with pytest.raises(AdminError, match=f"because {words} since the run began"):
        go(prepared(data, facts=facts, size=size), resume=True)
    assert (data / ".s.csv.part" / "rows").stat().st_size, "it is kept"


@pytest.mark.parametrize("damage", ["journal", "rows"])
def test_a_damaged_folder_is_refused(data, damage, monkeypatch):
    kill(prepared(data), 2, monkeypatch)
    path = data / ".s.csv.part" / ("rows" if damage == "rows" else "journal.json")
    path.write_bytes(b"")
    with pytest.raises(AdminError, match="s.csv is damaged: begin again with --force"):
        go(prepared(data), resume=True)


def test_a_full_disk_keeps_no_more_than_the_journal_tells(data, monkeypatch):
    def refuse(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    run = prepared(data)
    replace_file, calls = spools.replace_file, []

    def replace(path, content):
        calls.append(path)
        (refuse if len(calls) > 1 else replace_file)(path, content)

    with monkeypatch.context() as patch, pytest.raises(WorkFailed):
        patch.setattr(spools, "replace_file", replace)
        go(run, clock=iter(range(0, 1000, 2)).__next__)
    journal = json.loads((data / ".s.csv.part" / "journal.json").read_bytes())
    assert run.spool.kept == journal["state"]["scored"] + journal["state"]["rejected"]
    assert run.spool.kept == 3


@pytest.mark.parametrize("resume", [True, False])
def test_a_run_that_never_began_is_begun(data, resume):
    folder = data / ".s.csv.part"
    folder.mkdir()
    (folder / "rows").write_text("written before the first journal")
    go(prepared(data), resume=resume)
    assert outputs(data) == expected(data)


def test_an_output_that_was_finished_is_not_made_again(data):
    go(prepared(data))
    # The run was killed while it removed its folder.
    (data / ".s.csv.part").mkdir()
    engine = Engine()
    with pytest.raises(AdminError, match="s.csv is there already"):
        go(prepared(data), engine, resume=True)
    assert engine.asked == 0
    assert not (data / ".s.csv.part").exists()


def test_a_version_that_was_published_meanwhile_is_told(data, monkeypatch):
    kill(prepared(data), 2, monkeypatch)
    facts = rows_of(width=4)
    object.__setattr__(facts, "version", 2)
    with pytest.raises(AdminError) as error:
        go(prepared(data, facts=facts), resume=True)
    assert str(error.value).endswith(
        "another model or version scores since the run began: begin again with"
        " --force, or score by --model linear:1"
    )


def test_an_output_is_not_replaced_by_mistake(data):
    (data / "s.csv").write_text("mine")
    with pytest.raises(AdminError, match="s.csv is there already: give another name"):
        go(prepared(data), resume=True)
    assert outputs(data) == {"s.csv": b"mine"}
    go(prepared(data), force=True)
    assert (data / "s.csv").read_text() != "mine"


def test_one_process_writes_an_output(data):
    (data / ".s.csv.part").mkdir()
    holder = os.open(data / ".s.csv.part", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        with pytest.raises(WorkFailed, match="another process writes"):
            go(prepared(data), resume=True)
    finally:
        os.close(holder)


def test_a_failure_keeps_what_is_done_and_bad_input_leaves_nothing(data):
    with pytest.raises(Killed):
        go(prepared(data), Engine(2))
    journal = json.loads((data / ".s.csv.part" / "journal.json").read_bytes())
    assert journal["state"]["scored"] == 5
    assert prepared(data).spool.kept == 0, "only a run that was opened knows"
    whole = (data / "rows.npz").read_bytes()
    run = prepared(data)
    (data / "rows.npz").write_bytes(whole[:-30])
    with pytest.raises(AdminError, match="rows.npz is damaged"):
        go(run, force=True)
    assert outputs(data) == {}
    (data / "rows.npz").write_bytes(whole)
    with pytest.raises(Killed):
        go(prepared(data), Engine(0))
    assert outputs(data) == {}, "nothing was scored"


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(data):
    run = prepared(data)
    with file_size_limit(150), pytest.raises(WorkFailed) as error:
        go(run, clock=iter(range(0, 1000, 2)).__next__)
    assert "s.csv cannot be written: File too large; raise the limit" in str(
        error.value
    )
    assert not (data / "s.csv").exists()
    go(prepared(data), force=True)
    made = outputs(data)
    assert made == expected(data)


@pytest.mark.parametrize(
    ("out", "rejects", "sentence"),
    [
        ("nowhere/s.csv", "r.csv", "there is no folder"),
        ("s.csv", "nowhere/r.csv", "there is no folder"),
        ("s.csv", "s.csv", "--out and --rejects are the same file"),
        (".", "r.csv", "is a folder; name a file"),
        ("s.csv", "pipe", "pipe is a device or a pipe; name a file"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(data, out, rejects, sentence):
    os.mkfifo(data / "pipe")
    with pytest.raises(AdminError, match=sentence):
        Spool(data / out, data / rejects).check_places()


def test_a_model_that_changes_the_number_of_its_scores_is_refused(data):
    class Growing(Engine):
        def inputs(self, inputs):
            return super().inputs(inputs)[:, : 1 if self.asked > 5 else None]

    facts = rows_of(width=4)
    object.__setattr__(facts, "labels", ())
    with pytest.raises(AdminError, match="different numbers of scores"):
        go(prepared(data, facts=facts), Growing())


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (np.zeros((3, 2, 2)), r"answers float64 of the shape \(2, 2\) for an item"),
        (np.array(["a", "b", "c"], object), "answers object of the shape"),
    ],
)
def test_a_model_without_scores_is_refused(data, answer, sentence):
    class Other(Engine):
        def inputs(self, inputs):
            return answer[: len(inputs["row"])]

    with pytest.raises(AdminError, match=sentence):
        go(prepared(data), Other())


def test_an_item_with_an_endless_score_is_rejected(data):
    class Endless(Engine):
        def inputs(self, inputs):
            scores = super().inputs(inputs)
            scores[0, 1] = np.inf
            return scores

    (chunk, *_) = prepared(data).source.chunks(10, 0)
    scored = Scorer(Endless(), FACTS).score(chunk)
    assert ("0", "the model answers NaN or infinity") in scored.rejected
    assert scored.items == ["1", "3", "4", "5", "6", "8", "9"]
