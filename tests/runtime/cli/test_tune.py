"""``runtime tune`` measures a model of one multiplication, in processes of its own."""

import json

import pytest
from click.testing import CliRunner

from bundle.store import ModelStore
from runtime.cli import main
from runtime.config import config_from_json, load_config
from tests.examples import write_bundle


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFAAS_CONFIG", raising=False)
    ModelStore(tmp_path / "models").install(write_bundle)
    return tmp_path


def tune(*arguments, code=0):
    result = CliRunner().invoke(main, ["tune", *arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.slow
def test_what_is_found_is_what_the_service_reads(folder):
    (folder / "config.json").write_text(
        '{"port": 9000, "maxBatchSize": 2, "models": {"linear": {"maxQueue": 7}}}'
    )
    output = tune("linear", "--seconds", "0.02")
    assert output.splitlines()[0].split()[:3] == ["workers", "threads", "batch"]
    assert output.endswith("wrote config.json\n")
    config = load_config({})
    assert config.port == 9000
    assert config.workers >= 1
    of_linear = config.models["linear"]
    assert of_linear["max_queue"] == 7
    assert of_linear["batching"] in ("on", "off")
    assert of_linear["intra_op_threads"] >= 1
    shown = config_from_json(json.loads(output.splitlines()[-2]))
    assert shown.workers == config.workers
    assert shown.models["linear"] == {
        key: of_linear[key] for key in shown.models["linear"]
    }


@pytest.mark.slow
def test_a_target_out_of_reach_changes_nothing(folder):
    (folder / "config.json").write_text('{"maxBatchSize": 1}')
    output = tune("linear", "--seconds", "0.02", "--latency", "0.000001", code=1)
    assert "no setting answers 99 of 100 runs within 1e-06 ms" in output
    assert json.loads((folder / "config.json").read_text()) == {"maxBatchSize": 1}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nosuch", "no model 'nosuch'; 'runtime models list' lists those there are"),
        ("linear:9", "model 'linear' has no version 9"),
        ("../linear", "'../linear' is no model's name"),
    ],
)
def test_a_model_that_is_not_there_is_a_sentence(folder, name, sentence):
    output = tune(name, code=2)
    assert output.startswith("Error: ")
    assert sentence in output
    assert not (folder / "config.json").exists()
