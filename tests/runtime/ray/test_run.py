"""A run on a cluster has the rows of the command that scores alone, and goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from bundle.store import ModelStore
from runtime.admin.errors import AdminError, WorkFailed
from runtime.cli import main
from runtime.config import load_settings
from runtime.ray.output import PartFolder
from runtime.ray.rejects import RejectsFile
from runtime.ray.run import ClusterRun
from runtime.ray.scorer import Failure, PartScorer
from runtime.scoring.local import LocalModel, options_of
from runtime.scoring.pictures import pictures_of
from tests.examples import write_bundle
from tests.runtime.scoring.makers import save_pictures


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with five pictures, one of them damaged, and a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFAAS_CONFIG", raising=False)
    ModelStore(tmp_path / "models").install(write_bundle)
    save_pictures(tmp_path / "pictures")
    (tmp_path / "pictures" / "b.png").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def run(place):
    version = ModelStore(Path("models")).find("linear")
    config = load_settings().config
    model = LocalModel(version, options_of(config, 1))
    return ClusterRun(
        pictures_of([Path("pictures")]),
        model.facts(model.open()),
        model,
        config,
        PartFolder(Path("scores")),
        RejectsFile(Path("scores.rejects.csv")),
        1,
        "settings",
        (Path("pictures"),),
    )


def in_any_order(order, cutting):
    """Score all parts in this process, the last one first."""
    scorer = PartScorer(order)
    for part in reversed(list(cutting.parts(Path.cwd()))):
        yield scorer.score(*part)


def go(run, scored=in_any_order, told=None, **how):
    tell = (told if told is not None else []).append
    before = run.look(**({"resume": False, "force": False} | how))
    return run.go(before, 2, scored, lambda *counts: tell(counts))


def lost_after(count):
    """Return a cluster that is lost when it has scored so many parts."""

    def scored(order, cutting):
        for number, done in enumerate(in_any_order(order, cutting)):
            if number == count:
                raise WorkFailed("the cluster is gone")
            yield done

    return scored


def assert_whole(place):
    told = CliRunner().invoke(
        main,
        [
            "score",
            "pictures",
            "--model",
            "linear",
            "--out",
            "local.parquet",
            "--batch",
            "1",
        ],
    )
    assert told.exit_code == 0, told.output
    rows = pyarrow.dataset.dataset(place / "scores", format="parquet").to_table()
    assert rows.equals(pq.read_table(place / "local.parquet"))
    rejects = (place / "scores.rejects.csv").read_bytes()
    assert rejects == (place / "local.rejects.csv").read_bytes()


def test_the_rows_are_those_of_the_command_alone_and_in_its_order(place, run):
    told = []
    outcome = go(run, told=told)
    assert (outcome.scored, outcome.rejected, outcome.before) == (4, 1, 0)
    assert [done for done, _ in told] == [1, 2, 3, 4, 5]
    assert told[-1] == (5, 1)
    assert_whole(place)
    figures = json.loads((place / "scores" / "_SUCCESS").read_text())
    assert figures == {"model": "linear:1", "items": 5, "rejected": 1}


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_run_that_was_ended_goes_on_with_what_is_missing(place, run, count):
    with pytest.raises(WorkFailed, match="the cluster is gone"):
        go(run, lost_after(count))
    # The next part was done, too, but nobody was told.
    assert len(list((place / "scores" / "_parts").iterdir())) == count + 1
    told = []
    outcome = go(run, told=told, resume=True)
    assert (outcome.scored, outcome.rejected, outcome.before) == (4, 1, count + 1)
    assert len(told) == 4 - count
    assert_whole(place)


def test_a_failure_of_a_process_ends_the_run_and_keeps_what_is_done(place, run):
    def scored(order, cutting):
        yield next(in_any_order(order, cutting))
        yield Failure("the machine has no model", is_wrong_input=False)

    with pytest.raises(WorkFailed, match="the machine has no model"):
        go(run, scored)
    assert run.output.kept == 1


def test_a_wrong_input_leaves_nothing(place, run):
    def scored(order, cutting):
        yield from in_any_order(order, cutting)
        yield Failure("the file is damaged", is_wrong_input=True)

    with pytest.raises(AdminError, match="the file is damaged"):
        go(run, scored)
    assert not (place / "scores").exists()
    assert run.output.kept == 0


def test_an_input_that_lost_items_meanwhile_is_noticed(place, run):
    def scored(order, cutting):
        yield from list(in_any_order(order, cutting))[1:]

    with pytest.raises(AdminError, match="the input changed while it was scored"):
        go(run, scored)


def test_scores_of_different_types_are_no_output(place, run):
    def scored(order, cutting):
        first, *others = in_any_order(order, cutting)
        yield replace(first, head="other columns")
        yield from others

    with pytest.raises(AdminError, match="different numbers of scores"):
        go(run, scored)


def test_rejected_items_of_another_run_are_not_replaced(place, run):
    (place / "scores.rejects.csv").write_text("mine")
    for resume in (False, True):
        with pytest.raises(AdminError, match=r"scores\.rejects\.csv is there already"):
            run.look(resume=resume, force=False)
    go(run, force=True)
    assert_whole(place)
