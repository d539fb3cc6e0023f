import json

import pytest

from runtime.config import Config, ConfigError
from runtime.ray.arguments import read_arguments
from runtime.ray.scale import Scale


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFAAS_CONFIG", raising=False)
    return tmp_path


def test_without_arguments_all_is_as_by_default():
    assert read_arguments({}) == (Config(), Scale(), ())


def test_texts_of_a_command_mean_the_same_as_values_of_a_file(folder, monkeypatch):
    (folder / "own.json").write_text(json.dumps({"threads": 2, "port": 9000}))
    monkeypatch.setenv("TFAAS_PORT", "9001")
    texts = {
        "config": "own.json",
        "preload": "a,b",
        "port": "9002",
        "minReplicas": "2",
        "maxReplicas": "5",
        "gpusPerReplica": "0.5",
    }
    values = {
        "config": "own.json",
        "preload": ["a", "b"],
        "port": 9002,
        "minReplicas": 2,
        "maxReplicas": 5,
        "gpusPerReplica": 0.5,
    }
    expected = (
        Config(threads=2, port=9002, preload=("a", "b")),
        Scale(2, 5, gpus_per_replica=0.5),
        (),
    )
    assert read_arguments(texts) == read_arguments(values) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ports": 1}, "unknown argument 'ports'; there are config, minReplicas"),
        ({"minReplicas": "two"}, "'minReplicas' must be a whole number"),
        ({"minReplicas": "1.5"}, "'minReplicas' must be a whole number"),
        ({"minReplicas": True}, "'minReplicas' must be a whole number"),
        ({"cpusPerReplica": "many"}, "'cpusPerReplica' must be a number"),
        ({"config": 3}, "'config' must be the path of a file"),
        ({"config": "none.json"}, "none.json"),
        ({"threads": "0"}, "threads"),
    ],
)
def test_a_wrong_argument_is_refused_with_its_name(arguments, words):
    with pytest.raises(ConfigError, match=words):
        read_arguments(arguments)
