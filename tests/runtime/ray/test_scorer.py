"""A process of a cluster scores its parts as ``runtime score`` does, or says why."""

import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bundle.store import ModelStore
from runtime.admin.errors import AdminError, WorkFailed
from runtime.config import load_settings
from runtime.ray.output import Before, Done, PartFolder
from runtime.ray.scorer import (
    Failure,
    Order,
    PartScorer,
    failure_of,
    variables_of,
)
from runtime.scoring.chunks import Chunk, Files, Numbers
from runtime.scoring.local import LocalModel, options_of
from tests.examples import WEIGHTS, write_bundle
from tests.runtime.scoring.makers import save_pictures


@pytest.fixture
def order(tmp_path, monkeypatch):
    """Return the order of a command in this folder; its input is pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFAAS_CONFIG", raising=False)
    ModelStore(tmp_path / "models").install(write_bundle)
    save_pictures(tmp_path / "pictures")
    config = load_settings(flags={"model_dir": str(tmp_path / "models")}).config
    version = ModelStore(tmp_path / "models").find("linear")
    model = LocalModel(version, options_of(config, 8))
    ticket = PartFolder(tmp_path / "scores").begin({}, Before(8, []))
    return Order(
        config,
        model,
        model.facts(model.open()),
        (),
        tmp_path / "scores",
        ticket,
        (str(tmp_path / "pictures"),),
        {},
    )


def pictures_of(order, *names):
    (folder,) = order.inputs
    return [pickle.dumps(Chunk(names, Files([f"{folder}/{name}" for name in names])))]


def test_a_part_is_written_with_the_rows_of_its_items(order):
    content = pictures_of(order, "a.png", "gone.png") + pictures_of(order, "z.png")
    done = PartScorer(order).score(4, content)
    assert done == Done(4, 2, [("gone.png", "the picture is not there")], done.head)
    rows = pq.read_table(order.out / "part-000004.parquet").to_pylist()
    assert rows == [
        {"item": "a.png", "label": "one", "zero": 10, "one": 20, "two": 7},
        {"item": "z.png", "label": "zero", "zero": 0, "one": 0, "two": 0},
    ]
    record = json.loads((order.out / "_parts" / "000004.json").read_text())
    assert record["rejected"] == [["gone.png", "the picture is not there"]]


def test_a_part_without_scores_has_no_rows(order):
    done = PartScorer(order).score(0, pictures_of(order, "gone.png"))
    assert (done.scored, done.head) == (0, "")
    assert not (order.out / "part-000000.parquet").exists()


def test_the_model_is_opened_once_for_all_parts(order, monkeypatch):
    opened = []
    real = LocalModel.open
    monkeypatch.setattr(LocalModel, "open", lambda m: opened.append(m) or real(m))
    scorer = PartScorer(order)
    for number in range(3):
        assert scorer.score(number, pictures_of(order, "a.png")).scored == 1
    assert len(opened) == 1


@pytest.mark.parametrize("gone", ["pictures", "scores"])
def test_a_machine_that_lacks_a_shared_folder_says_so_and_rejects_nothing(order, gone):
    shutil.rmtree(order.out.parent / gone)
    failure = PartScorer(order).score(0, pictures_of(order, "a.png"))
    assert isinstance(failure.error(), WorkFailed)
    assert "all nodes must share it" in failure.sentence


def test_a_machine_that_has_another_model_does_not_score(order):
    write_bundle(order.model.version.path, labels=("x", "y", "z"))
    failure = PartScorer(order).score(0, pictures_of(order, "a.png"))
    assert "cannot open the model linear:1: it is another one" in failure.sentence
    assert not (order.out / "_parts").exists()


def test_a_machine_without_the_model_does_not_score(order):
    shutil.rmtree(order.model.version.path)
    failure = PartScorer(order).score(0, pictures_of(order, "a.png"))
    assert "All nodes must share its folder" in failure.sentence
    assert not failure.is_wrong_input


def test_each_machine_fetches_the_model_from_an_object_store(
    order, tmp_path, monkeypatch
):
    from bundle.objects.opening import open_store

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    url = (tmp_path / "store").as_uri()
    open_store(url).install(write_bundle)
    config = replace(order.config, model_dir=url)
    gone = replace(order.model.version, path=Path("/gone"))
    order = replace(order, config=config, model=replace(order.model, version=gone))
    assert PartScorer(order).score(0, pictures_of(order, "a.png")).scored == 1


def test_a_table_is_scored_without_its_file(order):
    numbers = np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1)
    content = [pickle.dumps(Chunk(["0", "1"], Numbers(numbers)))]
    assert PartScorer(replace(order, inputs=())).score(0, content).scored == 2
    table = pq.read_table(order.out / "part-000000.parquet")
    scores = np.stack([table[name].to_numpy() for name in ("zero", "one", "two")], 1)
    assert scores.tolist() == (numbers.reshape(2, 4) @ WEIGHTS).tolist()


def test_the_commands_credentials_count(order, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "of the node")
    PartScorer(replace(order, variables={"AWS_REGION": "of the command"}))
    assert os.environ["AWS_REGION"] == "of the command"


def test_only_variables_of_object_stores_are_handed_over():
    environ = {
        "AWS_REGION": "a",
        "AZURE_TENANT_ID": "b",
        "HOME": "/root",
        "GOOGLE_X": "c",
    }
    assert variables_of(environ) == {
        "AWS_REGION": "a",
        "AZURE_TENANT_ID": "b",
        "GOOGLE_X": "c",
    }


@pytest.mark.parametrize("kind", [AdminError, WorkFailed])
def test_an_error_keeps_its_sentence_and_its_exit_code_on_its_way(kind):
    failure = pickle.loads(pickle.dumps(failure_of(kind("the disk is full"))))
    assert failure == Failure("the disk is full", is_wrong_input=kind is AdminError)
    assert type(failure.error()) is kind
